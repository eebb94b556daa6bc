using AnimateDiff.Layers;

namespace AnimateDiff.Finishing;

/// <summary>Pictures looked up at moved places.</summary>
internal static class Warp
{
    /// <summary>Where places that have moved lie in a picture, [1, H, W, 2]: −1 is the middle of its first column or row, 1 that of the last.</summary>
    /// <param name="flow">Movement in pixels, [1, 2, H, W]: to the right and down.</param>
    public static Tensor Places(Tensor flow)
    {
        using var scope = NewDisposeScope();
        var (h, w) = (flow.shape[2], flow.shape[3]);
        var x = Scalars.Arange(w, dtype: ScalarType.Float32).view(1, 1, w).Add(flow.select(1, 0)).Times(2).Over(Math.Max(1, w - 1)).Add(-1);
        var y = Scalars.Arange(h, dtype: ScalarType.Float32).view(1, h, 1).Add(flow.select(1, 1)).Times(2).Over(Math.Max(1, h - 1)).Add(-1);
        return stack([x, y], 3).MoveToOuterDisposeScope();
    }

    /// <summary>Which places lie in the picture, [1, 1, H, W].</summary>
    /// <param name="places">[1, H, W, 2], see <see cref="Places"/>.</param>
    public static Tensor Inside(Tensor places)
    {
        using var scope = NewDisposeScope();
        using Scalar edge = 1.001.ToScalar();                               // a rounding beyond is no place beyond
        return places.abs().amax([3]).unsqueeze(1).le(edge).MoveToOuterDisposeScope();
    }

    /// <summary>A picture at places, [1, C, H, W]; beyond its edges it goes on as at them.</summary>
    /// <param name="picture">[1, C, any size]</param>
    /// <param name="places">[1, H, W, 2], see <see cref="Places"/>.</param>
    public static Tensor At(Tensor picture, Tensor places) =>
        nn.functional.grid_sample(picture, places, mode: GridSampleMode.Bilinear, padding_mode: GridSamplePaddingMode.Border, align_corners: true);

    /// <summary>A picture at moved places, [1, C, H, W].</summary>
    public static Tensor By(Tensor picture, Tensor flow)
    {
        using var places = Places(flow);
        return At(picture, places);
    }

    /// <summary>The mean over a square around each place, smaller at the edges.</summary>
    /// <param name="values">[1, C, H, W]</param>
    /// <param name="side">Its odd side in pixels.</param>
    public static Tensor Mean(Tensor values, long side) =>
        nn.functional.avg_pool2d(values, [side, side], [1, 1], [side / 2, side / 2], count_include_pad: false);
}
