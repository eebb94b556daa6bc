using AnimateDiff.Layers;
using AnimateDiff.Weights;

namespace AnimateDiff.Finishing;

/// <summary>An upscaler of the ESRGAN family, from a file of Real-ESRGAN's or the original ESRGAN's layout.</summary>
internal sealed class UpscaleModel : IDisposable
{
    private const int Tile = 192;                                           // pixels of the input computed at once, a side: what bounds the memory
    private const int Margin = 16;                                          // pixels around them, so that tiles meet without a seam

    private readonly RrdbNet _net;
    private readonly Device _device;
    private readonly int _tile;

    private UpscaleModel(RrdbNet net, Device device, int tile) => (_net, _device, _tile) = (net, device, tile);

    /// <summary>Reads a model.</summary>
    /// <param name="path">A .pth or safetensors file.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="tile">Pixels computed at once, a side.</param>
    /// <exception cref="FileException">It is missing or damaged, or no such upscaler.</exception>
    public static UpscaleModel Load(string path, Device device, int tile = Tile)
    {
        using var file = WeightFile.Open(path);
        var weights = UpscaleLayout.Of(file);
        var net = new RrdbNet(UpscaleLayout.ConfigOf(weights), META);
        try
        {
            ModuleWeights.Load(net, weights, "upscaler", ScalarType.Float32, device);
            net.eval();
            return new UpscaleModel(net, device, tile);
        }
        catch
        {
            net.Dispose();
            throw;
        }
    }

    /// <summary>A picture as many times as large as the model makes it, [1, 3, s·H, s·W] in about −1…1 on the CPU.</summary>
    /// <param name="picture">[1, 3, H, W] in −1…1</param>
    /// <param name="cancellationToken">Looked at before each tile.</param>
    public Tensor Enlarge(Tensor picture, CancellationToken cancellationToken)
    {
        using var scope = NewDisposeScope();
        var (h, w, scale, fold) = (picture.shape[2], picture.shape[3], _net.Config.Scale, _net.Config.Shrink);
        var padded = nn.functional.pad(picture.Add(1).Over(2), [0, (fold - w % fold) % fold, 0, (fold - h % fold) % fold], PaddingModes.Replicate);
        var (tallest, widest) = (padded.shape[2], padded.shape[3]);
        var result = empty([1, 3, tallest * scale, widest * scale]);
        for (long top = 0; top < tallest; top += _tile)
            for (long left = 0; left < widest; left += _tile)
            {
                cancellationToken.ThrowIfCancellationRequested();
                using var step = NewDisposeScope();
                var (y, x) = (Math.Max(0, top - Margin), Math.Max(0, left - Margin));
                var (height, width) = (Math.Min(tallest, top + _tile + Margin) - y, Math.Min(widest, left + _tile + Margin) - x);
                var (rows, columns) = (Math.Min(_tile, tallest - top) * scale, Math.Min(_tile, widest - left) * scale);
                var made = _net.call(padded.narrow(2, y, height).narrow(3, x, width).to(_device)).to(CPU);
                result.narrow(2, top * scale, rows).narrow(3, left * scale, columns)
                    .copy_(made.narrow(2, (top - y) * scale, rows).narrow(3, (left - x) * scale, columns));
            }
        return result.narrow(2, 0, h * scale).narrow(3, 0, w * scale).Times(2).Add(-1).MoveToOuterDisposeScope();
    }

    public void Dispose() => _net.Dispose();
}
