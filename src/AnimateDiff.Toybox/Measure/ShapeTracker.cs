using AnimateDiff.Evaluation;
using AnimateDiff.Video;

namespace AnimateDiff.Toybox.Measure;

/// <summary>The shape in one frame; lengths in 1/64 of the side.</summary>
/// <param name="X">Its centre from the left.</param>
/// <param name="Y">Its centre from the top.</param>
/// <param name="Spread">Root mean square distance of its pixels from the centre; 0.71 radii for a full disc, 1 for a ring.</param>
/// <param name="Covers">Whether a pixel is the shape's.</param>
/// <param name="Contrast">How far each pixel is from the background, 0…255, of the whole frame.</param>
internal sealed record TrackedShape(double X, double Y, double Spread, bool[] Covers, Plane Contrast);

/// <summary>
/// Finds the one shape in every frame of a clip: the largest connected piece that differs from the background. Backgrounds of this world change from top to
/// bottom only, so the background of a row is the median over the row in all frames, whether the shape moves or not.
/// </summary>
internal static class ShapeTracker
{
    // Least difference that counts, of 255, and as a share of the largest ones: leaves out noise and the fainter after-images.
    private const float LeastContrast = 10, LeastShare = 0.4f;

    // Width of the neighbourhood that fills the place of the mark, in 1/64 of the side.
    private const double Around = 2;

    /// <summary>The shape of every frame, null where nothing stands out.</summary>
    public static TrackedShape?[] Track(VideoFrames clip)
    {
        var background = Rows(clip);
        var open = Open(clip.Width, clip.Height);
        var share = open.Blur(Around * clip.Width / ToyScene.Side);
        var contrasts = Enumerable.Range(0, clip.Frames).Select(frame => Contrast(clip, frame, background, open, share)).ToArray();
        var counts = new int[256];
        foreach (var contrast in contrasts)
            foreach (var value in contrast.Values)
                counts[(int)value]++;
        var threshold = Math.Max(LeastContrast, LeastShare * Quantile(counts, 0.995));
        return [.. contrasts.Select(contrast => Largest(contrast, threshold))];
    }

    /// <summary>Median colour of each row over its pixels in all frames, <c>[H, RGB]</c>.</summary>
    private static byte[] Rows(VideoFrames clip)
    {
        var rows = new byte[clip.Height * 3];
        for (var y = 0; y < clip.Height; y++)
            for (var channel = 0; channel < 3; channel++)
            {
                var counts = new int[256];
                for (var frame = 0; frame < clip.Frames; frame++)
                {
                    var row = clip[frame].Slice(y * clip.Width * 3, clip.Width * 3);
                    for (var i = channel; i < row.Length; i += 3)
                        counts[row[i]]++;
                }
                rows[y * 3 + channel] = (byte)Quantile(counts, 0.5);
            }
        return rows;
    }

    /// <summary>The value below which a share of all counted ones lies.</summary>
    private static int Quantile(int[] counts, double share)
    {
        var left = share * counts.Sum();
        var value = 0;
        while (value < counts.Length - 1 && (left -= counts[value]) >= 0)
            value++;
        return value;
    }

    /// <summary>0 on the pixels where the mark may be and 1 elsewhere, so that clips with and without it are seen alike.</summary>
    private static Plane Open(int width, int height)
    {
        var open = new Plane(width, height);
        Array.Fill(open.Values, 1);
        if (width != height)
            return open;
        var (letters, edge) = (Watermark.Mask(width), Watermark.Edge(width));
        for (var i = 0; i < open.Values.Length; i++)
            open.Values[i] -= letters[i] + edge[i];
        return open;
    }

    private static Plane Contrast(VideoFrames clip, int frame, byte[] background, Plane open, Plane share)
    {
        var contrast = new Plane(clip.Width, clip.Height);
        var pixels = clip[frame];
        for (var i = 0; i < contrast.Values.Length; i++)
            for (var channel = 0; channel < 3; channel++)
                contrast.Values[i] += open.Values[i] * Math.Abs(pixels[i * 3 + channel] - background[i / clip.Width * 3 + channel]) / 3f;
        var around = contrast.Blur(Around * clip.Width / ToyScene.Side);
        for (var i = 0; i < contrast.Values.Length; i++)
            if (open.Values[i] == 0)
                contrast.Values[i] = around.Values[i] / Math.Max(share.Values[i], 1e-6f);                               // under the mark: what is around it
        return contrast.Blur(clip.Width / ToyScene.Side);
    }

    /// <summary>The connected piece above a threshold with the most contrast in all.</summary>
    private static TrackedShape? Largest(Plane contrast, float threshold)
    {
        var (width, height, unit) = (contrast.Width, contrast.Height, ToyScene.Side / contrast.Width);
        var pieces = new int[width * height];                                                                           // 0: not seen yet
        var (best, bestPiece, bestMass, piece) = ((TrackedShape?)null, 0, 0.0, 0);
        var open = new Stack<int>();
        for (var start = 0; start < pieces.Length; start++)
        {
            if (pieces[start] > 0 || contrast.Values[start] < threshold)
                continue;
            double mass = 0, x = 0, y = 0, square = 0;
            open.Push(start);
            pieces[start] = ++piece;
            while (open.TryPop(out var at))
            {
                var (column, row, weight) = (at % width, at / width, (double)contrast.Values[at]);
                (mass, x, y, square) = (mass + weight, x + weight * column, y + weight * row, square + weight * (column * column + row * row));
                Visit(column > 0, at - 1);
                Visit(column < width - 1, at + 1);
                Visit(row > 0, at - width);
                Visit(row < height - 1, at + width);
            }
            if (mass <= bestMass)
                continue;
            (x, y) = (x / mass, y / mass);
            (bestPiece, bestMass) = (piece, mass);
            best = new TrackedShape((x + 0.5) * unit, (y + 0.5) * unit, Math.Sqrt(Math.Max(square / mass - x * x - y * y, 0)) * unit, [], contrast);
        }
        return best is null ? null : best with { Covers = Array.ConvertAll(pieces, of => of == bestPiece) };

        void Visit(bool inside, int at)
        {
            if (!inside || pieces[at] > 0 || contrast.Values[at] < threshold)
                return;
            pieces[at] = piece;
            open.Push(at);
        }
    }
}
