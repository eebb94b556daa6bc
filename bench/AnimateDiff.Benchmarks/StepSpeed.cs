using System.Diagnostics;
using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using AnimateDiff.Profiling;
using TorchSharp;

namespace AnimateDiff.Benchmarks;

/// <summary>
/// Denoising steps and decoded clips of the naive reference in fp32 and of this project in turn, on the same weights and inputs, so that what else the machine does
/// falls on both. Speeds are set against the machine's own product of two matrices, measured between them.
/// </summary>
internal static class StepSpeed
{
    private const double Scale = 7.5;
    private const long Tokens = 77, ProductSize = 2048;

    /// <summary>Measures pairs and prints medians and peak memory (Linux only).</summary>
    /// <param name="model">Base model, motion module, fp32 or bf16, frames, and pixels along an edge, as on the command line.</param>
    /// <param name="pairs">How many.</param>
    public static void Compare(string[] model, int pairs)
    {
        using var naive = new Side("step-side", ["naive", model[0], model[1], "fp32", .. model[3..]]);
        using var ours = new Side("step-side", ["ours", .. model]);
        var (stepFlop, decodeFlop) = (Check("step"), Check("decode"));                                      // the first of each is not measured
        var (steps, clips) = (Both("step"), Both("decode"));
        var (fp32, bf16) = (Products(ScalarType.Float32), Products(ScalarType.BFloat16));
        for (var pair = 0; pair < pairs; pair++)
            foreach (var work in new[] { fp32, bf16, steps, clips })
                work.Measure(oursFirst: pair % 2 == 1);

        const double productFlop = 2.0 * ProductSize * ProductSize * ProductSize;
        Console.WriteLine($"{pairs} pairs, {get_num_threads()} threads; {ProductSize}³ products in GFLOP/s: {Speeds("fp32", fp32)}; {Speeds("bf16", bf16)}");
        Console.WriteLine(Pair.Header);
        var own = PipelineOptions.ParseDType(model[2]) == ScalarType.Float32 ? fp32 : bf16;
        var speed = productFlop / Math.Min(own.Naive, own.Ours) / 1e9;
        steps.Print("step", stepFlop, speed);
        clips.Print("decode", decodeFlop, speed);
        Console.WriteLine($"peak memory: {naive.Peak} MB naive, {ours.Peak} MB ours, {(double)ours.Peak / naive.Peak:0 %}");

        string Speeds(string type, Pair products) => $"{type} {productFlop / products.Naive / 1e9:0.0}, as a convolution {productFlop / products.Ours / 1e9:0.0}";
        Pair Both(string work) => new(() => naive.Do(work), () => ours.Do(work));
        double Check(string work)
        {
            using var scope = NewDisposeScope();
            var (expected, (found, flop)) = (naive.Make(work).Made, ours.Make(work));
            Console.WriteLine($"difference of the {work} {((expected - found).square().mean().sqrt() / expected.std()).item<float>():0.0e0} (root mean square, by the naive one's standard deviation)");
            return flop;
        }
    }

    /// <summary>One of the two, in a process of its own.</summary>
    public static void Serve(string which, string[] model)
    {
        using var inputs = new Inputs(model, isNaive: which == "naive");
        using var _ = inference_mode();
        using var scope = NewDisposeScope();
        if (inputs.Models is not { } models)
            Side.Serve(new Dictionary<string, Func<Tensor?>> { ["step"] = inputs.NaiveStep, ["decode"] = inputs.NaiveDecode });
        else
        {
            using var profile = new Profile(models.UNet, models.Vae);
            Side.Serve(
                new Dictionary<string, Func<Tensor?>> { ["step"] = inputs.Step, ["decode"] = inputs.Decode },
                () => profile.Denoising.Values.Concat(profile.Decoding.Values).Sum(work => work.Flop));
        }
    }

    // libtorch's two ways: MKL, and oneDNN by way of 1×1 windows over channels-last images.
    private static Pair Products(ScalarType type)
    {
        NativeHeap.KeepMemory();
        var (x, y) = (randn([ProductSize, ProductSize], type), randn([ProductSize, ProductSize], type));
        var (images, windows) = (x.view(16, ProductSize / 16, 1, ProductSize).permute(0, 3, 1, 2), y.view(ProductSize, ProductSize, 1, 1));
        return new Pair(() => Time.Of(() => x.matmul(y).Dispose()), () => Time.Of(() => nn.functional.conv2d(images, windows).Dispose()));
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

        public Inputs(string[] model, bool isNaive)
        {
            DType = PipelineOptions.ParseDType(model[2]);
            var (frames, pixels) = (int.Parse(model[3]), int.Parse(model[4]));
            var models = StepModels.Load(model[0], model[1], DType, keepsHalves: !isNaive && DType == ScalarType.Float32);
            var size = pixels / models.Vae.Config.PixelsPerLatent;
            using var generator = new Generator(0);
            using var embeddings = randn([2, Tokens, models.UNet.Config.CrossAttentionDim], generator: generator).to(DType);
            _latents = randn([1, models.UNet.Config.InChannels, frames, size, size], generator: generator).to(DType);
            _timestep = torch.tensor(new float[] { 500 });
            _rows = embeddings.repeat_interleave(frames, dim: 0);
            _chunk = AnimateDiffPipeline.FramesAtOnce(null, pixels, pixels);
            if (isNaive)
            {
                (_unet, _vae) = (new(models.UNet), new(models.Vae));
                (_naiveUNet, _naiveVae) = (new(_unet, models.UNet.Config, models.UNet.Motion!), new(_vae, models.Vae.Config));
                models.Dispose();
            }
            else
            {
                NativeHeap.KeepMemory();
                using var _ = no_grad();
                (Models, _text) = (models, models.UNet.Prepare(embeddings));
            }
        }

        public ScalarType DType { get; }

        public StepModels? Models { get; }

        public Tensor NaiveStep() => _naiveUNet!.Step(_latents, _timestep, _rows, Scale);

        public Tensor Step() => cat([_latents, _latents]).Then(x => Models!.UNet.call(x, _timestep, _text!)).Then(x => Guidance.Combine(x, Scale));

        public Tensor NaiveDecode() => _naiveVae!.Decode(_latents);

        /// <summary>The decoded clip, [1, 3, F, H, W].</summary>
        public Tensor Decode()
        {
            using var scope = NewDisposeScope();
            var frames = new List<Tensor>();
            Models!.Vae.DecodeFrames(_latents, _chunk, (_, images) => frames.Add(images.DetachFromDisposeScope()));
            var clip = cat(frames).transpose(0, 1).unsqueeze(0);
            frames.ForEach(images => images.Dispose());
            return clip.MoveToOuterDisposeScope();
        }

        public void Dispose()
        {
            foreach (var own in new IDisposable?[] { _unet, _vae, _text, Models, _latents, _rows, _timestep })
                own?.Dispose();
        }
    }
}
