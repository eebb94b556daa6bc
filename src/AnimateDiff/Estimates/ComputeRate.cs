using System.Diagnostics;

namespace AnimateDiff.Estimates;

/// <summary>How fast this machine is at this moment, by a convolution as the UNet has them.</summary>
internal static class ComputeRate
{
    // Share of the convolution's rate that a step in pieces reaches: whole steps reach all of it on the machines that were measured, in fp32 and bf16.
    private const double StepInPieces = 0.85;

    private const int Images = 8, Side = 32, Channels = 320, Window = 3;

    private static readonly TimeSpan _probe = TimeSpan.FromSeconds(0.2);

    /// <summary>Floating-point operations a second of a step, measured in about 0.3 s.</summary>
    public static double Measure(ScalarType dtype, Device device, bool inPieces)
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        var images = ones([Images, Side, Side, Channels], dtype, device).permute(0, 3, 1, 2);              // channels last, as images are kept
        var weight = ones([Channels, Window, Window, Channels], dtype, device).permute(0, 3, 1, 2);
        var clock = new Stopwatch();
        var done = 0L;
        for (var warm = false; clock.Elapsed < _probe; warm = true)
        {
            using var step = NewDisposeScope();
            if (warm)
                clock.Start();
            nn.functional.conv2d(images, weight, padding: [Window / 2, Window / 2]).max().to(ScalarType.Float32).item<float>();   // waits for devices that compute beside the processor
            if (warm)
                done++;
        }
        var flops = 2.0 * Images * Side * Side * Channels * Channels * Window * Window;
        return (inPieces ? StepInPieces : 1) * done * flops / clock.Elapsed.TotalSeconds;
    }
}
