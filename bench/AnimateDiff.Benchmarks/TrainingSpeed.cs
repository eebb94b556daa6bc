using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using AnimateDiff.Weights;

namespace AnimateDiff.Benchmarks;

/// <summary>
/// Steps that train motion modules at the real size, of the naive reference in fp32 and of this project in turn: one clip's prediction, loss and gradients with recomputed
/// activations, without the optimizer, which is libtorch's in both.
/// </summary>
internal static class TrainingSpeed
{
    /// <summary>Measures pairs and prints medians and peak memory (Linux only).</summary>
    /// <param name="model">Base model, motion module, fp32 or bf16, frames, and pixels along an edge, as on the command line.</param>
    /// <param name="pairs">How many.</param>
    public static void Compare(string[] model, int pairs)
    {
        using var naive = new Side("training-side", ["naive", model[0], model[1], "fp32", .. model[3..]]);
        using var ours = new Side("training-side", ["ours", .. model]);
        using (var scope = NewDisposeScope())
        {
            var (expected, found) = (naive.Make("gradients").Made, ours.Make("gradients").Made);
            Console.WriteLine($"loss {expected[0].item<float>():0.000000} naive, {found[0].item<float>():0.000000} ours; largest difference of a gradient's norm {((found - expected).abs() / expected.clamp_min(1e-20)).max().item<float>():0.0e0} of it");
        }
        var steps = new Pair(() => naive.Do("step"), () => ours.Do("step"));
        for (var pair = 0; pair < pairs; pair++)
            steps.Measure(oursFirst: pair % 2 == 1);
        Console.WriteLine($"{pairs} pairs, {get_num_threads()} threads\n{Pair.Header}");
        steps.Print("training", double.NaN, double.NaN);
        Console.WriteLine($"peak memory: {naive.Peak} MB naive, {ours.Peak} MB ours, {(double)ours.Peak / naive.Peak:0 %}");
    }

    /// <summary>One of the two, in a process of its own.</summary>
    public static void Serve(string which, string[] model)
    {
        using var inputs = new Inputs(model, isNaive: which == "naive");
        Side.Serve(new Dictionary<string, Func<Tensor?>> { ["gradients"] = () => tensor(inputs.Gradients()), ["step"] = () => { inputs.Step(); return null; } });
    }

    /// <summary>The models and what they are given.</summary>
    private sealed class Inputs : IDisposable
    {
        private readonly UNetMotionModel? _unet;
        private readonly NaiveWeights? _weights;
        private readonly NaiveUNet? _naive;
        private readonly Tensor _latents, _noise, _text;

        public Inputs(string[] model, bool isNaive)
        {
            var dtype = PipelineOptions.ParseDType(model[2]);
            var (frames, side) = (int.Parse(model[3]), int.Parse(model[4]) / 8);
            if (!isNaive)
                NativeHeap.KeepMemory();
            var unet = Load(model[0], model[1], dtype);
            unet.Recomputes = true;
            using var generator = new Generator(0);
            _latents = randn([1, unet.Config.InChannels, frames, side, side], generator: generator);
            _noise = randn(_latents.shape, generator: generator);
            _text = randn([1, 77, unet.Config.CrossAttentionDim], generator: generator);
            foreach (var (name, parameter) in unet.named_parameters())
                parameter.requires_grad = UNetMotionModel.IsMotion(name);
            if (!isNaive)
            {
                _unet = unet;
                return;
            }
            _weights = new NaiveWeights(unet);
            foreach (var (name, weight) in _weights)
                weight.requires_grad = UNetMotionModel.IsMotion(name) && !name.EndsWith(".pe", StringComparison.Ordinal);
            _naive = new NaiveUNet(_weights, unet.Config, unet.Motion!) { Recomputes = true };
            unet.Dispose();
        }

        /// <summary>A step; the loss.</summary>
        public double Step()
        {
            using var scope = NewDisposeScope();
            return _unet is not null
                ? Learn(_unet.Predict(_latents, full([1], 500.0), _text), _unet.parameters())
                : Learn(_naive!.Forward(_latents, tensor(new[] { 500f }), _text.repeat_interleave(_latents.shape[2], dim: 0)), _weights!.Values);
        }

        /// <summary>A step: the loss, and the norms of the gradients in the order of the parameters' names.</summary>
        public float[] Gradients()
        {
            var loss = (float)Step();
            var weights = _unet?.named_parameters().Select(own => (Name: own.name, Weight: (Tensor)own.parameter)) ?? _weights!.Select(own => (Name: own.Key, Weight: own.Value));
            return [loss, .. weights.Where(own => own.Weight.requires_grad).OrderBy(own => own.Name, StringComparer.Ordinal).Select(own => (float)NormOf(own.Weight))];
        }

        public void Dispose()
        {
            foreach (var own in new IDisposable?[] { _unet, _weights, _latents, _noise, _text })
                own?.Dispose();
        }

        private double Learn(Tensor prediction, IEnumerable<Tensor> weights)
        {
            foreach (var weight in weights)
                weight.grad = null;
            var loss = (prediction.to(ScalarType.Float32) - _noise).square().mean();
            loss.backward();
            return loss.item<float>();
        }

        private static double NormOf(Tensor weight) => weight.grad is { } gradient ? gradient.to(ScalarType.Float32).norm().item<float>() : 0;

        private static UNetMotionModel Load(string folder, string motionFile, ScalarType dtype)
        {
            using var image = WeightFile.OpenFolder(Path.Combine(folder, "unet"), "diffusion_pytorch_model");
            using var motion = MotionFiles.Open(motionFile);
            var unet = new UNetMotionModel(UNetConfig.Read(Path.Combine(folder, "unet", "config.json")), MotionConfig.Parse(motion.Config, motion.Path), META);
            ModuleWeights.Load(unet, image, "UNet", dtype, part: name => !UNetMotionModel.IsMotion(name));
            ModuleWeights.Load(unet, motion.Weights, "motion module", dtype, part: UNetMotionModel.IsMotion);
            return unet;
        }
    }
}
