using System.CommandLine;
using AnimateDiff.Weights;

namespace AnimateDiff.Cli;

/// <summary>The options that name models, and those of the machine, shared by every command that generates.</summary>
internal sealed class ModelArguments
{
    private readonly Option<string?> _base = new("--base") { Description = "Stable Diffusion 1.5: a diffusers folder, a single file, or OWNER/NAME on the hub; or the embedded toybox, toybox:neon.", HelpName = "DIR|FILE" };
    private readonly Option<string?> _motion = new("--motion") { Description = "Motion module: an official file, a diffusers folder, or OWNER/NAME on the hub; or toybox.", HelpName = "DIR|FILE" };
    private readonly Option<string?> _tokenizer = new("--tokenizer") { Description = "Folder with CLIP's vocab.json and merges.txt, for a base without its own.", HelpName = "DIR" };
    private readonly Option<string?> _vae = new("--vae") { Description = "Another VAE: a diffusers folder or a file.", HelpName = "DIR|FILE" };
    private readonly Option<string?> _domainAdapter = new("--domain-adapter") { Description = "AnimateDiff's domain adapter, with its strength; or toybox.", HelpName = "FILE[:CURVE]" };
    private readonly Option<string[]> _motionLora = new("--motion-lora") { Description = "A MotionLoRA (one camera movement); or toybox:zoom-in, toybox:zoom-out, toybox:pan-left. May be given several times.", HelpName = "FILE[:CURVE]" };
    private readonly Option<string[]> _lora = new("--lora") { Description = "A LoRA of the image model (kohya, diffusers, PEFT); may be given several times.", HelpName = "FILE[:CURVE]" };
    private readonly Option<string[]> _embedding = new("--embedding") { Description = "A textual-inversion embedding; may be given several times.", HelpName = "FILE" };
    private readonly MachineArguments _machine = new();
    private readonly Option<MotionVersion?> _motionVersion = new("--motion-version") { Description = "v1, v2 or v3, for a motion module that does not show its version.", HelpName = "VERSION" };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_base, _motion, _tokenizer, _vae, _domainAdapter, _motionLora, _lora, _embedding, _motionVersion])
            command.Options.Add(option);
        _machine.AddTo(command);
    }

    /// <summary>The model as asked for on the command line: what is not given is <paramref name="recorded"/>'s, and without that the embedded one.</summary>
    public PipelineOptions Options(ParseResult parsed, PipelineOptions? recorded = null) => _machine.Apply(parsed, new PipelineOptions
    {
        Base = parsed.GetValue(_base) ?? recorded?.Base ?? (parsed.GetValue(_motion) is not { } motion || EmbeddedToybox.IsName(motion) ? EmbeddedToybox.Name : throw new RequestException(
            $"The motion module {motion} needs a base model: pass --base with a Stable Diffusion 1.5 folder or file, or a hub name such as stable-diffusion-v1-5/stable-diffusion-v1-5.")),
        Motion = parsed.GetValue(_motion) ?? (UsesEmbedded(parsed, recorded) ? EmbeddedToybox.Name : recorded?.Motion),
        Tokenizer = parsed.GetValue(_tokenizer) ?? recorded?.Tokenizer,
        Vae = parsed.GetValue(_vae) ?? recorded?.Vae,
        Embeddings = parsed.GetValue(_embedding) is { Length: > 0 } embeddings ? embeddings : recorded?.Embeddings ?? [],
        MotionVersion = parsed.GetValue(_motionVersion) ?? recorded?.MotionVersion,
        ResnetNormAcrossFrames = recorded?.ResnetNormAcrossFrames,
    }, recorded);

    /// <summary>Whether the embedded model stands in because no model was named at all.</summary>
    public bool UsesEmbedded(ParseResult parsed, PipelineOptions? recorded = null) => parsed.GetValue(_base) is null && recorded is null;

    /// <summary>Says on stderr that the embedded model stands in, where it does.</summary>
    public void SayIfEmbedded(ParseResult parsed)
    {
        if (UsesEmbedded(parsed))
            Console.Error.WriteLine("No --base given: the embedded Toybox model, a world of simple shapes; pass --base for Stable Diffusion 1.5.");
    }

    /// <summary>The adapters given on the command line.</summary>
    public IReadOnlyList<Adapter> Adapters(ParseResult parsed)
    {
        Adapter[] domain = parsed.GetValue(_domainAdapter) is { } file ? [Adapter.Parse(AdapterRole.DomainAdapter, file)] : [];
        return
        [
            .. domain,
            .. (parsed.GetValue(_motionLora) ?? []).Select(file => Adapter.Parse(AdapterRole.MotionLora, file)),
            .. (parsed.GetValue(_lora) ?? []).Select(file => Adapter.Parse(AdapterRole.Lora, file)),
        ];
    }
}
