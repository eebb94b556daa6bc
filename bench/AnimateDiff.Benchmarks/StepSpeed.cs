using System.Diagnostics;
using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using AnimateDiff.Profiling;
using TorchSharp;

namespace AnimateDiff.Benchmarks;

/// <summary>
/// Denoising steps and decoded clips of the naive reference and of this project in turn, in one process and on the same weights and inputs, so that what else the
/// machine does falls on both. Speeds are set against the machine's own product of two matrices, measured between them.
/// </summary>
internal static class StepSpeed
{
    private const double Scale = 7.5;
    private const long Tokens = 77, ProductSize = 2048;

    /// <summary>Measures pairs and prints medians, then each one's peak memory in a process of its own (Linux only).</summary>
    /// <param name="model">Base model, motion module, fp32 or bf16, frames, and pixels along an edge, as on the command line.</param>
    /// <param name="pairs">How many.</param>
    public static void Compare(string[] model, int pairs)
    {
        using (var inputs = new Inputs(model))
            Compare(inputs, pairs);
        foreach (var one in new[] { "naive", "ours" })
        {
            using var alone = Process.Start(Environment.ProcessPath!, ["step-alone", one, .. model]);
            alone.WaitForExit();
        }
    }

    /// <summary>Seconds and peak memory of one step and one decoded clip of the naive reference or of this project.</summary>
    public static void Alone(string which, string[] model)
    {
        using var inputs = new Inputs(model, which);
        using var _ = inference_mode();
        using var scope = NewDisposeScope();
        Console.WriteLine(RealSize.Header);
        var isNaive = which == "naive";
        RealSize.Measure($"{which} alone: step", () => (isNaive ? inputs.NaiveStep() : inputs.Step()).Dispose());
        RealSize.Measure($"{which} alone: decode", () => (isNaive ? inputs.NaiveDecode() : inputs.Decode(keep: false))?.Dispose());
    }

    private static void Compare(Inputs inputs, int pairs)
    {
        using var _ = inference_mode();
        using var scope = NewDisposeScope();

        // The first of each is not measured: it says how much is computed, and how far apart they are.
        double stepFlop, decodeFlop;
        using (var profile = new Profile(inputs.Models!.UNet, inputs.Models.Vae))
        {
            Console.WriteLine($"difference of the step {Difference(inputs.NaiveStep(), inputs.Step()):0.0e0}, of the decoded clip {Difference(inputs.NaiveDecode(), inputs.Decode(keep: true)!):0.0e0} (root mean square, by the naive one's standard deviation)");
            (stepFlop, decodeFlop) = (profile.Denoising.Values.Sum(work => work.Flop), profile.Decoding.Values.Sum(work => work.Flop));
        }
        var steps = new Pair(() => inputs.NaiveStep().Dispose(), () => inputs.Step().Dispose());
        var clips = new Pair(() => inputs.NaiveDecode().Dispose(), () => inputs.Decode(keep: false));
        var (fp32, bf16) = (Products(ScalarType.Float32), Products(ScalarType.BFloat16));
        for (var pair = 0; pair < pairs; pair++)
            foreach (var work in new[] { fp32, bf16, steps, clips })
                work.Measure(oursFirst: pair % 2 == 1);

        const double productFlop = 2.0 * ProductSize * ProductSize * ProductSize;
        Console.WriteLine($"{pairs} pairs, {get_num_threads()} threads; {ProductSize}³ products in GFLOP/s: {Speeds("fp32", fp32)}; {Speeds("bf16", bf16)}");
        string Speeds(string type, Pair products) => $"{type} {productFlop / products.Naive / 1e9:0.0}, as a convolution {productFlop / products.Ours / 1e9:0.0}";
        Console.WriteLine(Pair.Header);
        var own = inputs.DType == ScalarType.Float32 ? fp32 : bf16;
        var speed = productFlop / Math.Min(own.Naive, own.Ours) / 1e9;
        steps.Print("step", stepFlop, speed);
        clips.Print("decode", decodeFlop, speed);
    }

    private static double Difference(Tensor naive, Tensor ours)
    {
        using var scope = NewDisposeScope();
        var difference = (naive.to(ScalarType.Float32) - ours.to(ScalarType.Float32)).square().mean().sqrt() / naive.to(ScalarType.Float32).std();
        naive.Dispose();
        ours.Dispose();
        return difference.item<float>();
    }

    // libtorch's two ways: MKL, and oneDNN by way of 1×1 windows over channels-last images.
    private static Pair Products(ScalarType type)
    {
        var (x, y) = (randn([ProductSize, ProductSize], type), randn([ProductSize, ProductSize], type));
        var (images, windows) = (x.view(16, ProductSize / 16, 1, ProductSize).permute(0, 3, 1, 2), y.view(ProductSize, ProductSize, 1, 1));
        return new Pair(() => x.matmul(y).Dispose(), () => nn.functional.conv2d(images, windows).Dispose());
    }

    /// <summary>The models and what they are given. Text is ready as each has it before its first step: keys and values here, a row for each frame in the naive reference.</summary>
    private sealed class Inputs : IDisposable
    {
        private readonly NaiveWeights? _unet, _vae;
        private readonly NaiveUNet? _naiveUNet;
        private readonly NaiveVae? _naiveVae;
        private readonly TextContext? _text;
        private readonly Tensor _latents, _rows, _timestep;
        private readonly int _chunk;

        public Inputs(string[] model, string which = "both")
        {
            DType = PipelineOptions.ParseDType(model[2]);
            var (frames, pixels) = (int.Parse(model[3]), int.Parse(model[4]));
            var models = StepModels.Load(model[0], model[1], DType);
            var size = pixels / models.Vae.Config.PixelsPerLatent;
            using var generator = new Generator(0);
            using var embeddings = randn([2, Tokens, models.UNet.Config.CrossAttentionDim], generator: generator).to(DType);
            _latents = randn([1, models.UNet.Config.InChannels, frames, size, size], generator: generator).to(DType);
            _timestep = torch.tensor(new float[] { 500 });
            _rows = embeddings.repeat_interleave(frames, dim: 0);
            _chunk = AnimateDiffPipeline.FramesAtOnce(null, pixels, pixels);
            if (which != "ours")
            {
                (_unet, _vae) = (new(models.UNet), new(models.Vae));
                (_naiveUNet, _naiveVae) = (new(_unet, models.UNet.Config, models.UNet.Motion!), new(_vae, models.Vae.Config));
            }
            if (which == "naive")
                models.Dispose();
            else
            {
                using var _ = no_grad();
                (Models, _text) = (models, models.UNet.Prepare(embeddings));
            }
        }

        public ScalarType DType { get; }

        public StepModels? Models { get; }

        public Tensor NaiveStep() => _naiveUNet!.Step(_latents, _timestep, _rows, Scale);

        public Tensor Step() => cat([_latents, _latents]).Then(x => Models!.UNet.call(x, _timestep, _text!)).Then(x => Guidance.Combine(x, Scale));

        public Tensor NaiveDecode() => _naiveVae!.Decode(_latents);

        /// <summary>The decoded clip where it is kept, [1, 3, F, H, W]; the pipeline lets go of the images as it gets them.</summary>
        public Tensor? Decode(bool keep)
        {
            using var scope = NewDisposeScope();
            var kept = new List<Tensor>();
            Models!.Vae.DecodeFrames(_latents, _chunk, (_, images) =>
            {
                if (keep)
                    kept.Add(images.clone().DetachFromDisposeScope());
            });
            if (!keep)
                return null;
            var clip = cat(kept).transpose(0, 1).unsqueeze(0).MoveToOuterDisposeScope();
            kept.ForEach(images => images.Dispose());
            return clip;
        }

        public void Dispose()
        {
            foreach (var own in new IDisposable?[] { _unet, _vae, _text, Models, _latents, _rows, _timestep })
                own?.Dispose();
        }
    }
}
