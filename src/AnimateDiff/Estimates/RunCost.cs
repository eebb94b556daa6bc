using AnimateDiff.Noise;
using AnimateDiff.Sampling;

namespace AnimateDiff.Estimates;

/// <summary>The weights of a model.</summary>
/// <param name="Elements">How many.</param>
/// <param name="Halves">How many of them stay in fp16 where the model computes in fp32.</param>
internal readonly record struct ModelWeights(long Elements, long Halves)
{
    /// <summary>What they take in a model that computes in <paramref name="dtype"/>.</summary>
    public double Bytes(ScalarType dtype) => dtype == ScalarType.BFloat16 ? 2.0 * Elements : 4.0 * Elements - 2.0 * Halves;
}

/// <summary>The weights of a pipeline and its request.</summary>
/// <param name="UNet">Of image layers and motion modules.</param>
/// <param name="Vae">Of the VAE.</param>
/// <param name="Text">Of the text encoder.</param>
/// <param name="Extras">Of what the request brings: control networks, IP-Adapters, adapters and the weights that these change.</param>
internal sealed record WeightCounts(ModelWeights UNet, ModelWeights Vae, ModelWeights Text, ModelWeights Extras);

/// <summary>The expected memory and work of a request.</summary>
/// <param name="PeakBytes">Memory of the process at its widest.</param>
/// <param name="StepFlops">Floating-point operations of a step.</param>
/// <param name="TotalFlops">Those of all steps and of decoding.</param>
/// <param name="Evaluations">Steps, all runs together.</param>
internal sealed record RunCost(long PeakBytes, double StepFlops, double TotalFlops, int Evaluations)
{
    // Measured: bytes of the runtime and libtorch with nothing loaded, and how many times as much as its activations a run takes: the heap keeps what is free
    // between what lives. With little memory large blocks go back.
    private const double Runtime = 0.25e9, HeapNormal = 2.5, HeapLow = 1.1;

    // Elements beside those of the layers while one of them runs on a piece: its own activations. Measured.
    private const double PieceLayers = 7;

    /// <summary>The cost of a request of this size; where the clip is made again at a larger size, at that.</summary>
    public static RunCost Of(PipelineParts parts, WeightCounts weights, GenerationRequest request, ClipSize size, MemoryUse memory, ScalarType dtype, long pieceSize)
    {
        var (low, bytes, last) = (memory == MemoryUse.Low, dtype == ScalarType.BFloat16 ? 2 : 4, parts.LastSizeOf(request, size));
        var vae = VaeCost.Decode(parts.VaeConfig, last.Height, last.Width);
        var decoded = Math.Min(AnimateDiffPipeline.FramesAtOnce(request.DecodeChunk, last.Height, last.Width), last.Frames);
        var (large, largest, largeMean) = Step(parts, request, last, low);
        var (_, flops, mean) = last == size ? (large, largest, largeMean) : Step(parts, request, size, low);

        var piece = low ? PieceLayers * pieceSize : 0;
        var heap = low ? HeapLow : HeapNormal;
        var denoising = heap * bytes * (large + Math.Min(piece, PieceLayers * large));
        var decoding = heap * bytes * vae.Elements * decoded;
        var pictures = 3.0 * last.Clips * last.Frames * last.Height * last.Width * (request.Finish.Count > 0 ? 2 : 1);           // bytes
        var (unet, text, decoder) = (weights.UNet.Bytes(dtype) + weights.Extras.Bytes(dtype), weights.Text.Bytes(dtype), weights.Vae.Bytes(dtype));
        var peak = low ? Math.Max(unet + Math.Max(text, denoising), decoder + decoding) : unet + text + decoder + Math.Max(denoising, decoding);

        var scheduler = Scheduler.Create(request.Scheduler, request.SchedulerOptions, request.Steps);
        var share = request.Source is { Kind: not SourceKind.Latents } source ? source.Strength : 1;
        var evaluations = (int)Math.Ceiling(scheduler.Timesteps.Count * share) * (request.FreeInit ?? 1);
        var total = evaluations * mean + vae.Flops * last.Clips * last.Frames;
        if (request.Hires is { } hires)
        {
            var again = Math.Ceiling((hires.Steps ?? request.Steps) * hires.Strength);
            (total, evaluations) = (total + again * largeMean, evaluations + (int)again);
        }
        return new RunCost((long)(Runtime + peak + pictures), flops, total, evaluations);
    }

    // Elements that are held at the widest place of a step, its work, and the mean of the steps' work where not all of it is done in all of them.
    private static (double Elements, double Flops, double MeanFlops) Step(PipelineParts parts, GenerationRequest request, ClipSize size, bool low)
    {
        var windows = request.Context is null ? null : new ContextWindows(request.Context);
        var (frames, calls) = windows is null || windows.SeeWhole(size.Frames) ? (size.Frames, 1) : (Math.Min(request.Context!.Length, size.Frames), windows.Of(size.Frames, 0).Count);
        var pixels = parts.VaeConfig.PixelsPerLatent;
        var (h, w) = (size.Height / pixels, size.Width / pixels);
        CallCost Of(Denoising.MotionConfig? motion) => UNetCost.Of(parts.UNet.Config, motion, h, w, frames, low, request.DeepCache is { IsOn: true } deep ? deep.Skips : 0);
        var cost = Of(parts.UNet.Motion);
        var halves = request.IsGuided ? 2 : 1;
        var together = (low ? 1 : halves) * size.Clips * frames;
        var controlled = request.Controls.Count > 0 || request.Sparse is not null;

        var elements = together * (cost.Elements + (controlled ? cost.Skips : 0)) + halves * size.Clips * frames * cost.Kept;
        var perturbed = request.PerturbedAttention is null ? 0 : 1;
        double Evaluated(double branches) => calls * (branches + perturbed) * size.Clips * frames;
        var still = request.Controls.Count == 0 ? 0 : Of(null).Flops;
        const double wayDown = 0.4;                                                                          // what a control network has of a UNet
        var whole = cost.Flops + wayDown * (request.Controls.Count * still + (request.Sparse is null ? 0 : cost.Flops));
        var guided = request.GuidanceInterval is var (start, end) ? end - start : 1;
        var wholes = 1.0 / Math.Max(1, request.DeepCache?.Interval ?? 1);
        return (elements, Evaluated(halves) * whole, Evaluated(1 + (halves - 1) * guided) * (wholes * whole + (1 - wholes) * cost.OuterFlops));
    }
}
