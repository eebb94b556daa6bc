using System.CommandLine;
using System.Security.Cryptography;
using AnimateDiff.Noise;

namespace AnimateDiff.Cli;

/// <summary><c>animatediff generate</c></summary>
internal static class GenerateCommand
{
    private const double UsualGuidance = 7.5;

    public static Command Create()
    {
        var (model, source, control, images, quality, finish) = (new ModelArguments(), new SourceArguments(), new ControlArguments(), new ImagePromptArguments(), new QualityArguments(), new FinishArguments());
        var (speed, method) = (new SpeedArguments(), new MethodArguments());
        var prompts = new Argument<string[]>("prompt") { Description = "One or more prompts; each makes an animation.", Arity = ArgumentArity.OneOrMore };
        var negative = new Option<string>("--negative") { Description = "What the pictures should not be.", HelpName = "TEXT", DefaultValueFactory = _ => "" };
        var frames = new Option<int?>("--frames") { Description = "Frames of each animation (default 16; 8 by text2video-zero).", HelpName = "N" };
        var width = new Option<int?>("--width") { Description = "Width in pixels (default: the model's, 512 for Stable Diffusion 1.5).", HelpName = "PIXELS" };
        var height = new Option<int?>("--height") { Description = "Height in pixels (default: the model's).", HelpName = "PIXELS" };
        var steps = new Option<int>("--steps") { Description = "Denoising steps.", DefaultValueFactory = _ => 25 };
        var guidance = new Option<string?>("--guidance") { Description = "Guidance scale; 1 turns guidance off (default 7.5, for Toybox 4). Like every strength here it may be a curve: over frames 0:9,15:4, over steps 0%:9,60%:5.", HelpName = "CURVE" };
        var seeds = new Option<ulong[]>("--seed") { Description = "Seed; several make several animations. Random when absent, and printed.", HelpName = "N" };
        var fps = new Option<double>("--fps") { Description = "Frames a second in the output.", DefaultValueFactory = _ => 8 };
        var scheduler = new Option<string>("--scheduler") { Description = $"Sampler: {string.Join(", ", Scheduler.All.Select(sampler => sampler.Name))}. lcm is for models with an LCM LoRA (--lora), --steps 4 to 8 and --guidance 1 to 2.", HelpName = "NAME", DefaultValueFactory = _ => "ddim" };
        var schedulerOptions = new Option<string[]>("--scheduler-option") { Description = "A sampler's option by diffusers' name, such as timestep_spacing=trailing; repeatable.", HelpName = "KEY=VALUE" };
        var clipSkip = new Option<int>("--clip-skip") { Description = "Layers of the text encoder to leave out at its end, as diffusers counts.", DefaultValueFactory = _ => 0 };
        var truncate = new Option<bool>("--truncate") { Description = "Cut prompts after 75 tokens, as diffusers does, instead of encoding them in chunks." };
        var semantics = new Option<string>("--semantics") { Description = "Whose numbers: official or diffusers.", DefaultValueFactory = _ => "official" };
        semantics.AcceptOnlyFromAmong("official", "diffusers");
        var output = new Option<string?>("--out") { Description = "FILE.gif, .webp, .mp4, .webm, .apng, or a folder DIR/ for PNG frames and run.json; by default a GIF in this folder, named after the prompt.", HelpName = "FILE|DIR/" };

        var estimate = new Option<bool>("--estimate") { Description = "Only say how much memory and time it would take on this machine." };
        var profile = new Option<bool>("--profile") { Description = "Afterwards print where the time went, by kind of layer; on the CPU." };
        var config = new Option<string?>(ConfigFile.Option) { Description = "A YAML file with any of these options under their names, and prompt; what is given here wins.", HelpName = "FILE" };

        var command = new Command("generate", "Turns prompts into animations.") { prompts, config, negative, output, frames, width, height, steps, guidance, seeds, fps, scheduler, schedulerOptions, clipSkip, truncate, semantics, estimate, profile };
        source.AddTo(command);
        model.AddTo(command);
        method.AddTo(command);
        control.AddTo(command);
        images.AddTo(command);
        quality.AddTo(command);
        speed.AddTo(command);
        finish.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var options = method.Apply(parsed, model.Options(parsed));
            var request = new GenerationRequest([])
            {
                NegativePrompts = [parsed.GetValue(negative)!],
                Frames = parsed.GetValue(frames),
                Width = parsed.GetValue(width),
                Height = parsed.GetValue(height),
                Steps = parsed.GetValue(steps),
                GuidanceScale = parsed.GetValue(guidance) is { } scale ? Curve.Parse(scale) : EmbeddedToybox.IsName(options.Base) ? EmbeddedToybox.Guidance : UsualGuidance,
                Scheduler = parsed.GetValue(scheduler)!,
                SchedulerOptions = KeyValues(parsed.GetValue(schedulerOptions) ?? []),
                ClipSkip = parsed.GetValue(clipSkip),
                Truncate = parsed.GetValue(truncate),
                Semantics = Enum.Parse<Semantics>(parsed.GetValue(semantics)!, ignoreCase: true),
                Adapters = model.Adapters(parsed),
                Source = source.Source(parsed),
                PromptsAt = source.PromptsAt(parsed),
                ImagePrompts = images.Prompts(parsed),
            };
            request = SourceArguments.AsInverted(parsed, request, steps, semantics);
            request = finish.Apply(parsed, speed.Apply(parsed, quality.Apply(parsed, control.Apply(parsed, method.Apply(parsed, request, steps))), steps, scheduler));
            GenerationRequest[] requests = [.. Pair(parsed.GetValue(prompts)!, parsed.GetValue(seeds) ?? []).Select(pair => request with { Prompts = [pair.Prompt], Seed = pair.Seed })];
            model.SayIfEmbedded(parsed);
            if (parsed.GetValue(estimate))
                await Generation.EstimateAsync(options, requests, cancellationToken);
            else
                await Generation.RunAsync(options, requests, parsed.GetValue(fps), parsed.GetValue(output), cancellationToken, profiles: parsed.GetValue(profile));
            return ExitCodes.Done;
        });
        return HelpWithExamples.WithExamples(command, """
              animatediff generate "a red ball moves right"
              animatediff generate "a corgi running on the beach" --base sd15/ --motion v3_sd15_mm.ckpt --out corgi.gif
              animatediff generate "toonyou style, a girl in the rain" --base toonyou_beta3.safetensors --motion mm_sd_v15_v2.ckpt \
                  --motion-lora v2_lora_ZoomIn.ckpt:0.8 --scheduler euler-a --steps 30 --seed 42 --out rain.mp4
              animatediff generate "a lake" "a forest" --seed 1 --base sd15/ --motion v3_sd15_mm.ckpt --domain-adapter v3_sd15_adapter.ckpt:0.5 --out frames/
              animatediff generate "waves at night" --frames 64 --context 16:4:closed --base sd15/ --motion v3_sd15_mm.ckpt --out loop.mp4
              animatediff generate "a watercolour of a corgi" --video corgi.mp4 --strength 0.6 --base sd15/ --motion v3_sd15_mm.ckpt
              animatediff generate "a green ball moves right" --latents ball.safetensors --guidance 4
              animatediff generate "a field in spring" --prompt-at "8:a field in winter" --base sd15/ --motion v3_sd15_mm.ckpt
              animatediff generate "a dancer in the rain" --base sd15/ --motion v3_sd15_mm.ckpt --controlnet openpose/:0.8:0-0.6 --control poses.mp4
              animatediff generate "waves at a beach" --base sd15/ --motion v3_sd15_mm.ckpt --sparsectrl v3_sd15_sparsectrl_rgb.ckpt --sparse 0:beach.png
              animatediff generate "a storm at sea" --base sd15/ --motion v3_sd15_mm.ckpt --lora ink.safetensors:0:0,15:1 --guidance 0%:9,60%:5
              animatediff generate "a fox" --base sd15/ --motion v3_sd15_mm.ckpt --controlnet canny/ --control canny=fox.mp4
              animatediff generate --config docs/examples/clip.yaml --seed 7
              animatediff generate "a cat, best quality" --base sd15/ --motion v3_sd15_mm.ckpt --ip-adapter models/ip-adapter_sd15.safetensors:0.7 --ip-image cat.png
              animatediff generate "a red ball moves right" --fast
              animatediff generate "a corgi on the beach" --base sd15/ --motion AnimateLCM_sd15_t2v.ckpt --lora AnimateLCM_sd15_t2v_lora.safetensors:0.8 \
                  --scheduler lcm --steps 6 --guidance 1.5
              animatediff generate "a horse on a meadow" --base sd15/ --method text2video-zero --zero-motion 12,0
              animatediff generate "a red ball moves right" --hires 2:0.2 --interpolate 2 --upscale 2 --out large.webp
            """);
    }

    /// <summary>A random seed, below 2³² so that it is short to type.</summary>
    internal static ulong RandomSeed() => (uint)RandomNumberGenerator.GetInt32(int.MinValue, int.MaxValue);

    /// <summary>One seed for all prompts, one prompt for all seeds, or one each.</summary>
    internal static IEnumerable<(string Prompt, ulong Seed)> Pair(IReadOnlyList<string> prompts, IReadOnlyList<ulong> seeds)
    {
        if (seeds.Count == 0)
            return prompts.Select(prompt => (prompt, RandomSeed()));
        if (prompts.Count == 1)
            return seeds.Select(seed => (prompts[0], seed));
        if (seeds.Count == 1)
            return prompts.Select(prompt => (prompt, seeds[0]));
        return prompts.Count == seeds.Count
            ? prompts.Zip(seeds)
            : throw new RequestException($"{prompts.Count} prompts and {seeds.Count} seeds do not pair: give one seed, or as many as prompts.");
    }

    /// <summary>What <c>--scheduler-option</c> was given.</summary>
    internal static Dictionary<string, string> KeyValues(IEnumerable<string> options)
    {
        var pairs = new Dictionary<string, string>();
        foreach (var option in options)
        {
            var equals = option.IndexOf('=');
            if (equals < 1)
                throw new RequestException($"--scheduler-option {option}: expected KEY=VALUE, such as timestep_spacing=trailing.");
            pairs[option[..equals].Trim()] = option[(equals + 1)..].Trim();
        }
        return pairs;
    }
}
