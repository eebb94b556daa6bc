using System.Diagnostics;
using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using AnimateDiff.Weights;

namespace AnimateDiff.Benchmarks;

/// <summary>
/// Steps that train motion modules at the real size, of the naive reference and of this project in turn: one clip's prediction, loss and gradients with recomputed
/// activations, without the optimizer, which is libtorch's in both.
/// </summary>
internal static class TrainingSpeed
{
    /// <summary>Measures pairs and prints medians, then each one's peak memory in a process of its own (Linux only).</summary>
    /// <param name="model">Base model, motion module, fp32 or bf16, frames, and pixels along an edge, as on the command line.</param>
    /// <param name="pairs">How many.</param>
    public static void Compare(string[] model, int pairs)
    {
        using (var inputs = new Inputs(model, naive: true, ours: true))
        {
            var steps = new Pair(() => inputs.NaiveStep(), () => inputs.Step());
            Console.WriteLine($"loss {inputs.NaiveStep():0.000000} naive, {inputs.Step():0.000000} ours; largest difference of a gradient's norm {inputs.Difference():0.0e0} of it");
            for (var pair = 0; pair < pairs; pair++)
                steps.Measure(oursFirst: pair % 2 == 1);
            Console.WriteLine($"{pairs} pairs, {get_num_threads()} threads\n{Pair.Header}");
            steps.Print("training", double.NaN, double.NaN);
        }
        foreach (var one in new[] { "naive", "ours" })
        {
            using var alone = Process.Start(Environment.ProcessPath!, ["training-alone", one, .. model]);
            alone.WaitForExit();
        }
    }

    /// <summary>Seconds and peak memory of two steps of the naive reference or of this project.</summary>
    public static void Alone(string which, string[] model)
    {
        using var inputs = new Inputs(model, naive: which == "naive", ours: which == "ours");
        Console.WriteLine(RealSize.Header);
        for (var step = 1; step <= 2; step++)
            RealSize.Measure($"{which} alone: training step {step}", () => _ = which == "naive" ? inputs.NaiveStep() : inputs.Step());
    }

    /// <summary>The models and what they are given.</summary>
    private sealed class Inputs : IDisposable
    {
        private readonly UNetMotionModel _unet;
        private readonly NaiveWeights? _weights;
        private readonly NaiveUNet? _naive;
        private readonly Tensor _latents, _noise, _text;

        public Inputs(string[] model, bool naive, bool ours)
        {
            var dtype = PipelineOptions.ParseDType(model[2]);
            var (frames, side) = (int.Parse(model[3]), int.Parse(model[4]) / 8);
            _unet = Load(model[0], model[1], dtype);
            _unet.Recomputes = true;
            using var generator = new Generator(0);
            _latents = randn([1, _unet.Config.InChannels, frames, side, side], generator: generator);
            _noise = randn(_latents.shape, generator: generator);
            _text = randn([1, 77, _unet.Config.CrossAttentionDim], generator: generator);
            foreach (var (name, parameter) in _unet.named_parameters())
                parameter.requires_grad = UNetMotionModel.IsMotion(name);
            if (naive)
            {
                _weights = new NaiveWeights(_unet);
                foreach (var (name, weight) in _weights)
                    weight.requires_grad = UNetMotionModel.IsMotion(name) && !name.EndsWith(".pe", StringComparison.Ordinal);
                _naive = new NaiveUNet(_weights, _unet.Config, _unet.Motion!) { Recomputes = true };
            }
            if (!ours)
                _unet.Dispose();
        }

        public double NaiveStep()
        {
            using var scope = NewDisposeScope();
            var type = _weights!["conv_in.weight"].dtype;
            var said = _naive!.Forward(_latents.to(type), tensor(new[] { 500f }), _text.to(type).repeat_interleave(_latents.shape[2], dim: 0));
            return Learn(said, _weights.Values);
        }

        public double Step()
        {
            using var scope = NewDisposeScope();
            return Learn(_unet.Predict(_latents, full([1], 500.0), _text), _unet.parameters());
        }

        /// <summary>After a step of each: how far the norms of the parameters' gradients are apart, at most, as a part of the norm.</summary>
        public double Difference()
        {
            using var scope = NewDisposeScope();
            var ours = _unet.named_parameters().Where(own => own.parameter.requires_grad).ToDictionary(own => own.name, own => own.parameter);
            return ours.Max(own => NormOf(own.Value) is var norm && norm > 0 ? Math.Abs(NormOf(_weights![own.Key]) / norm - 1) : 0);
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
