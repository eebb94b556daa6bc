using System.Diagnostics;

namespace AnimateDiff.Estimates;

/// <summary>How fast this machine is at this moment, by products of matrices as the UNet has them.</summary>
internal static class ComputeRate
{
    // Share of the products' rate that a whole step reaches, and a step in pieces: the rest goes to normalisation, attention and moving memory.
    private const double WholeStep = 0.62, StepInPieces = 0.5;

    private const int Rows = 4096, Channels = 640;

    private static readonly TimeSpan _probe = TimeSpan.FromSeconds(0.2);

    /// <summary>Floating-point operations a second of a step, measured in about 0.3 s.</summary>
    public static double Measure(ScalarType dtype, Device device, bool inPieces)
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var layer = new Linear(Channels, Channels, hasBias: false, device: device);
        layer.to(dtype);
        var x = ones([Rows, Channels], dtype, device);
        var clock = new Stopwatch();
        var products = 0L;
        for (var warm = false; clock.Elapsed < _probe; warm = true)
        {
            using var step = NewDisposeScope();
            if (warm)
                clock.Start();
            layer.call(x).sum().to(ScalarType.Float32).item<float>();                                        // waits for devices that compute beside the processor
            if (warm)
                products++;
        }
        return (inPieces ? StepInPieces : WholeStep) * 2 * products * Rows * Channels * Channels / clock.Elapsed.TotalSeconds;
    }
}
