namespace AnimateDiff.Control.Annotators;

/// <summary>Canny's edges (1986): lines one pixel wide where the brightness changes most.</summary>
internal static class CannyEdges
{
    private const float White = 255;

    /// <param name="image">Values 0…255.</param>
    /// <param name="low">A weaker change, |∂x| + |∂y| by Sobel, is no edge.</param>
    /// <param name="high">A stronger one is; one between is where it is joined to a stronger one.</param>
    /// <param name="sigma">Deviation of the blur before, in pixels.</param>
    /// <returns>255 at edges, 0 elsewhere.</returns>
    public static GreyImage Find(GreyImage image, double low, double high, double sigma)
    {
        var (right, down) = image.Blur(sigma).Sobel();
        var strength = GreyImage.Of(image.Height, image.Width, (y, x) => Math.Abs(right[y, x]) + Math.Abs(down[y, x]));
        var crests = GreyImage.Of(image.Height, image.Width, (y, x) => IsCrest(strength, right[y, x], down[y, x], y, x) ? strength[y, x] : 0);
        return Joined(crests, low, high);
    }

    /// <summary>Whether the change is nowhere stronger along its own direction, of which there are four; of two equal neighbours the second is.</summary>
    private static bool IsCrest(GreyImage strength, float right, float down, int y, int x)
    {
        var (across, along) = (Math.Abs(right), Math.Abs(down));
        const float steep = 0.41421356f;                                            // tan 22.5°
        var (dy, dx) = along <= steep * across ? (0, 1) : across <= steep * along ? (1, 0) : right * down > 0 ? (1, 1) : (1, -1);
        return strength[y, x] > strength[y + dy, x + dx] && strength[y, x] >= strength[y - dy, x - dx];
    }

    /// <summary>Strong pixels, and the weak ones that a chain of weak ones joins to them.</summary>
    private static GreyImage Joined(GreyImage crests, double low, double high)
    {
        var edges = new GreyImage(crests.Height, crests.Width);
        var open = new Stack<int>(Enumerable.Range(0, crests.Values.Length).Where(i => crests.Values[i] > high));
        while (open.TryPop(out var at))
        {
            if (edges.Values[at] == White)
                continue;
            edges.Values[at] = White;
            var (y, x) = (at / crests.Width, at % crests.Width);
            for (var row = Math.Max(y - 1, 0); row <= Math.Min(y + 1, crests.Height - 1); row++)
                for (var column = Math.Max(x - 1, 0); column <= Math.Min(x + 1, crests.Width - 1); column++)
                    if (crests.Values[row * crests.Width + column] > low)
                        open.Push(row * crests.Width + column);
        }
        return edges;
    }
}
