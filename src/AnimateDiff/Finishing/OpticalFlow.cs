using AnimateDiff.Layers;

namespace AnimateDiff.Finishing;

/// <summary>
/// How every pixel of a picture moves to the next one. From coarse to fine: on each level of a pyramid, of some movements near the coarser level's and its
/// neighbours' the one is taken whose surroundings differ least (block matching with a block around every pixel), and then refined below a pixel by
/// the method of Lucas and Kanade (1981). A median keeps single pixels from going their own way.
/// </summary>
internal static class OpticalFlow
{
    private const int Coarsest = 8;                                         // pixels of the shorter side
    private const int Reach = 2;                                            // pixels looked at around the coarser level's movement
    private const int Block = 5;
    private const double Smoothness = 0.004;                                // what a pixel of departure from the surroundings must gain, in the scale of the pictures
    private const double Stillness = 0.001;                                 // what a pixel of movement must gain: of movements that fit equally, the smallest
    private const double Flatness = 1e-3;                                   // squared gradient below which Lucas and Kanade's equations say little

    private static readonly int[] Neighbours = [1, 4];

    // Devillard's network of exchanges after which the fifth of nine values is their median.
    private static readonly (int, int)[] MedianOfNine =
        [(1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3), (5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2)];

    /// <summary>Movement in pixels, [1, 2, H, W]: to the right and down.</summary>
    /// <param name="from">[1, 3, H, W] in −1…1</param>
    /// <param name="to">The same for the next picture.</param>
    public static Tensor Between(Tensor from, Tensor to)
    {
        using var scope = NewDisposeScope();
        var levels = new Stack<(Tensor From, Tensor To)>([(from, to)]);
        while (Math.Min(levels.Peek().From.shape[2], levels.Peek().From.shape[3]) >= 2 * Coarsest)
            levels.Push((Half(levels.Peek().From), Half(levels.Peek().To)));
        Tensor? flow = null;
        foreach (var (a, b) in levels)
        {
            using var level = NewDisposeScope();
            var start = flow is null ? zeros([1, 2, a.shape[2], a.shape[3]])
                : nn.functional.interpolate(flow, size: [a.shape[2], a.shape[3]], mode: InterpolationMode.Nearest).Times(2);
            flow = Search(a, b, start).Then(x => Refine(a, b, x)).Then(Median).MoveToOuterDisposeScope();
        }
        return flow!.MoveToOuterDisposeScope();
    }

    /// <summary>How much the surroundings of each place differ from those of where it moves, [1, 1, H, W] in the scale of the pictures.</summary>
    public static Tensor Difference(Tensor from, Tensor to, Tensor flow)
    {
        using var scope = NewDisposeScope();
        return Warp.Mean((Warp.By(to, flow) - from).abs().mean([1], keepdim: true), Block).MoveToOuterDisposeScope();
    }

    /// <summary>The median movement of a picture, [1, 2, 1, 1].</summary>
    public static Tensor Usual(Tensor flow)
    {
        using var scope = NewDisposeScope();
        var sorted = flow.flatten(2).sort(2).Values;                                                         // [1, 2, H·W]
        return sorted.narrow(2, sorted.shape[2] / 2, 1).unsqueeze(-1).MoveToOuterDisposeScope();
    }

    private static Tensor Half(Tensor picture) => nn.functional.avg_pool2d(picture, [2, 2]);

    private static Tensor Search(Tensor a, Tensor b, Tensor start)
    {
        using var scope = NewDisposeScope();
        var around = Warp.Mean(start, Block);
        var best = (Flow: start.alias(), Cost: Cost(start));
        Try(Refine(a, b, start));
        foreach (var centre in new[] { start, zeros_like(start) })                                           // what stands still may have been lost on coarser levels
            for (var dy = -Reach; dy <= Reach; dy++)
                for (var dx = -Reach; dx <= Reach; dx++)
                    Try(centre.Add(tensor([dx, dy], ScalarType.Float32).view(1, 2, 1, 1)));
        Try(Usual(best.Flow).expand(start.shape));                                                            // the camera's
        foreach (var distance in Neighbours)
            foreach (var (shift, axis) in new[] { (distance, 2), (-distance, 2), (distance, 3), (-distance, 3) })
                Try(best.Flow.roll(shift, axis));
        return best.Flow.MoveToOuterDisposeScope();

        Tensor Cost(Tensor flow)
        {
            using var step = NewDisposeScope();
            var departure = (flow - around).abs().Times(Smoothness).Add(flow.abs().Times(Stillness)).sum(1, keepdim: true);
            return Difference(a, b, flow).Add(departure).MoveToOuterDisposeScope();
        }

        void Try(Tensor flow)
        {
            using var step = NewDisposeScope();
            var cost = Cost(flow);
            var better = (where(cost.lt(best.Cost), flow, best.Flow).MoveToOuterDisposeScope(), minimum(cost, best.Cost).MoveToOuterDisposeScope());
            best.Flow.Dispose();
            best.Cost.Dispose();
            flow.Dispose();
            best = better;
        }
    }

    // Two steps of Lucas and Kanade, each taken where it makes the surroundings more alike.
    private static Tensor Refine(Tensor a, Tensor b, Tensor flow)
    {
        using var scope = NewDisposeScope();
        for (var i = 0; i < 2; i++)
        {
            var moved = Warp.By(b, flow);
            var (change, gx, gy) = (moved - a, Slope(moved, 3), Slope(moved, 2));
            Tensor Sum(Tensor product) => Warp.Mean(product.sum(1, keepdim: true), Block);
            var (xx, xy, yy) = (Sum(gx * gx).Add(Flatness), Sum(gx * gy), Sum(gy * gy).Add(Flatness));
            var (x, y) = (Sum(gx * change), Sum(gy * change));
            var determinant = xx * yy - xy * xy;
            var step = cat([(xy * y - yy * x) / determinant, (xy * x - xx * y) / determinant], 1).Clamp(-1, 1);
            var next = flow.Add(step);
            flow = where(Difference(a, b, next).lt(Difference(a, b, flow)), next, flow);
        }
        return flow.MoveToOuterDisposeScope();
    }

    // Half the difference of a pixel's neighbours along an axis.
    private static Tensor Slope(Tensor picture, int axis)
    {
        using var scope = NewDisposeScope();
        var (last, size) = (picture.shape[axis] - 1, picture.shape[axis]);
        var padded = cat([picture.narrow(axis, 0, 1), picture, picture.narrow(axis, last, 1)], axis);
        return (padded.narrow(axis, 2, size) - padded.narrow(axis, 0, size)).Over(2).MoveToOuterDisposeScope();
    }

    /// <summary>The median of each place and its eight neighbours, for each component by itself.</summary>
    public static Tensor Median(Tensor flow)
    {
        using var scope = NewDisposeScope();
        var (h, w) = (flow.shape[2], flow.shape[3]);
        var padded = nn.functional.pad(flow, [1, 1, 1, 1], PaddingModes.Replicate);
        Tensor[] nine = [.. Enumerable.Range(0, 9).Select(i => padded.narrow(2, i / 3, h).narrow(3, i % 3, w))];
        foreach (var (low, high) in MedianOfNine)
            (nine[low], nine[high]) = (minimum(nine[low], nine[high]), maximum(nine[low], nine[high]));
        return nine[4].MoveToOuterDisposeScope();
    }
}
