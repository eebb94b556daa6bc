using AnimateDiff.Weights;

namespace AnimateDiff.Estimates;

/// <summary>Expects what a request takes of a pipeline, whose models may be without weights, and refuses what cannot fit.</summary>
/// <param name="parts">The models.</param>
internal sealed class Estimator(PipelineParts parts)
{
    // An estimate may be too high by a quarter; what is refused is beyond doubt.
    private const double Doubt = 0.8;

    private readonly PipelineOptions _options = parts.Options;

    /// <summary>Memory and work of a request.</summary>
    public RunCost CostOf(GenerationRequest request, ClipSize size) => CostOf(request, size, Weights(request), _options.Memory, _options.DType);

    /// <summary>Memory and time of a request, with the machine's speed measured; on the thread of the models.</summary>
    public RunEstimate Of(GenerationRequest request, ClipSize size)
    {
        var cost = CostOf(request, size);
        var rate = ComputeRate.Measure(_options.DType, parts.Device, parts.IsLow);
        return new RunEstimate(cost.PeakBytes, AvailableMemory.Bytes(), cost.Evaluations, TimeSpan.FromSeconds(cost.StepFlops / rate), TimeSpan.FromSeconds(cost.TotalFlops / rate));
    }

    /// <summary>Refuses a request that cannot fit into memory, and says what would.</summary>
    /// <exception cref="RequestException">It cannot.</exception>
    public void RequireFit(GenerationRequest request, ClipSize size) => RequireFit(request, size, AvailableMemory.Bytes());

    internal void RequireFit(GenerationRequest request, ClipSize size, long available)
    {
        if (_options.Device != "cpu" || _options.Force)
            return;
        var weights = Weights(request);
        var peak = CostOf(request, size, weights, _options.Memory, _options.DType).PeakBytes;
        if (peak * Doubt <= available)
            return;

        var (half, few) = (size with { Height = Half(size.Height), Width = Half(size.Width) }, size with { Frames = Math.Max(1, size.Frames / 2) });
        (string Options, GenerationRequest Request, ClipSize Size, MemoryUse Memory, ScalarType DType)[] ways =
        [
            ("--dtype bf16", request, size, _options.Memory, ScalarType.BFloat16),
            ("--memory low", request, size, MemoryUse.Low, ScalarType.BFloat16),
            ($"--memory low --frames {few.Frames}", request, few, MemoryUse.Low, ScalarType.BFloat16),
            ("--memory low --context 8:2", request with { Context = new FrameContext(8, 2) }, size, MemoryUse.Low, ScalarType.BFloat16),
            ($"--memory low --width {half.Width} --height {half.Height}", request, half, MemoryUse.Low, ScalarType.BFloat16),
            ($"--memory low --width {half.Width} --height {half.Height} --frames {few.Frames}", request, half with { Frames = few.Frames }, MemoryUse.Low, ScalarType.BFloat16),
        ];
        string[] fitting = [.. ways
            .Select(way => (way.Options, Peak: CostOf(way.Request, way.Size, weights, way.Memory, way.DType).PeakBytes))
            .Where(way => way.Peak <= available && way.Peak < peak).Take(3).Select(way => $"{way.Options} ({RunEstimate.Gigabytes(way.Peak)})")];
        throw new RequestException(
            $"{size.Frames} frames of {size.Width}×{size.Height} would take about {RunEstimate.Gigabytes(peak)} of memory, and {RunEstimate.Gigabytes(available)} can be had: "
            + (fitting.Length > 0 ? $"use {string.Join(", or ", fitting)}" : "use a smaller size and fewer frames with --memory low") + ", or --force to try.");
    }

    private int Half(int side)
    {
        var pixels = parts.VaeConfig.PixelsPerLatent;
        return Math.Max(pixels, side / 2 / pixels * pixels);
    }

    private RunCost CostOf(GenerationRequest request, ClipSize size, WeightCounts weights, MemoryUse memory, ScalarType dtype)
        => RunCost.Of(parts, weights, request, size, memory, dtype, _options.PieceSize);

    private WeightCounts Weights(GenerationRequest request)
    {
        var extras = new ModelWeights(parts.AdaptedElements(request), 0);
        foreach (var path in request.Controls.Select(control => control.Path).Append(request.Sparse?.Path).OfType<string>()
            .Concat(request.ImagePrompts.SelectMany(prompt => new[] { prompt.IPAdapter, ImagePrompts.ImagePromptLoader.EncoderOf(prompt) })).Distinct())
        {
            using var file = ModelFolder.Open(path);
            extras = extras with { Elements = extras.Elements + file.Values.Sum(tensor => tensor.ElementCount) };
        }
        return parts.Weights with { Extras = extras };
    }
}
