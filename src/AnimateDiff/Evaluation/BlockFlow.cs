namespace AnimateDiff.Evaluation;

/// <summary>Where the parts of a picture came from, by block matching: for each block the place in the picture before that is most like it.</summary>
internal sealed class BlockFlow
{
    /// <summary>Side of a block in pixels.</summary>
    public const int Side = 8;

    // A block has moved only where that explains it much better than standing still: noise always finds a place that is a little more alike.
    private const double Better = 0.35, Difference = 1;

    // The mean square difference up to which a block was found again, and the share of its own variance.
    private const double Alike = 25, Explained = 0.25;
    private const double Texture = 16;

    // Pixels off the common motion that halve what a block counts for the zoom.
    private const double Misfit = 0.5;

    // A way between pixels has to explain that much more: what lies between pixels has less noise, and is more alike for that alone.
    private const double Finer = 0.6;

    private const int Rounds = 4;
    private const double Damping = 16;

    private readonly Plane _before, _after;
    private readonly int _reach;

    /// <summary>A block's way.</summary>
    /// <param name="Left">Its left pixel.</param>
    /// <param name="Top">Its top pixel.</param>
    /// <param name="Right">How far its content has moved to the right, in pixels.</param>
    /// <param name="Down">How far down.</param>
    /// <param name="Known">Whether it was found in the picture before.</param>
    /// <param name="Textured">Whether there is something in it that can be seen moving.</param>
    internal readonly record struct Block(int Left, int Top, double Right, double Down, bool Known, bool Textured)
    {
        /// <summary>Length of the way in pixels.</summary>
        public double Length => Math.Sqrt(Right * Right + Down * Down);
    }

    /// <summary>Finds the blocks of a picture in the one before; both of one size.</summary>
    public BlockFlow(Plane before, Plane after)
    {
        (_before, _after) = (before, after);
        _reach = Math.Max(2, Math.Min(before.Width, before.Height) / 8);
        Blocks = [.. from row in Enumerable.Range(0, after.Height / Side) from column in Enumerable.Range(0, after.Width / Side) select Match(column * Side, row * Side)];
    }

    /// <summary>All whole blocks, row by row.</summary>
    public IReadOnlyList<Block> Blocks { get; }

    /// <summary>Mean absolute difference between the blocks and what they were found to come from, 0…255.</summary>
    public double WarpingError()
    {
        var sum = 0.0;
        foreach (var block in Blocks)
            for (var y = block.Top; y < block.Top + Side; y++)
                for (var x = block.Left; x < block.Left + Side; x++)
                    sum += Math.Abs(_after[x, y] - _before.Sample(x - block.Right, y - block.Down));
        return sum / (Blocks.Count * Side * Side);
    }

    /// <summary>How much the content grows from the one picture to the next: 0.01 = by one percent. By least squares over the blocks, reweighted: those that move otherwise count less.</summary>
    public double Zoom()
    {
        Block[] seen = [.. Blocks.Where(block => block is { Known: true, Textured: true })];
        if (seen.Length < 3)
            return 0;
        var weights = Enumerable.Repeat(1.0, seen.Length).ToArray();
        var zoom = 0.0;
        for (var round = 0; round < 5; round++)
        {
            double Mean(Func<Block, double> number) => seen.Zip(weights, (block, weight) => weight * number(block)).Sum() / weights.Sum();
            var (x, y, right, down) = (Mean(block => block.Left), Mean(block => block.Top), Mean(block => block.Right), Mean(block => block.Down));
            var spread = Mean(block => (block.Left - x) * (block.Left - x) + (block.Top - y) * (block.Top - y));
            zoom = spread < 1e-6 ? 0 : Mean(block => (block.Left - x) * (block.Right - right) + (block.Top - y) * (block.Down - down)) / spread;
            for (var i = 0; i < seen.Length; i++)
            {
                var (offX, offY) = (seen[i].Right - right - zoom * (seen[i].Left - x), seen[i].Down - down - zoom * (seen[i].Top - y));
                weights[i] = 1 / (1 + (offX * offX + offY * offY) / (Misfit * Misfit));
            }
        }
        return zoom;
    }

    private Block Match(int left, int top)
    {
        var standing = Distance(left, top, 0, 0, double.PositiveInfinity);
        var (right, down, best) = (0, 0, standing);
        for (var y = Math.Max(-_reach, top + Side - _after.Height); y <= Math.Min(_reach, top); y++)            // the place in the picture before lies in it
            for (var x = Math.Max(-_reach, left + Side - _after.Width); x <= Math.Min(_reach, left); x++)
                if (Distance(left, top, x, y, best) is var distance && distance < best)
                    (right, down, best) = (x, y, distance);
        if (best + Difference > Better * standing)
            (right, down, best) = (0, 0, standing);
        var variance = Variance(left, top);
        var (fineRight, fineDown, rest) = Refine(left, top, right, down);
        if (rest < Finer * best)
            best = rest;
        else
            (fineRight, fineDown) = (right, down);
        return new(left, top, fineRight, fineDown, best <= Math.Max(Alike, Explained * variance), variance > Texture);
    }

    /// <summary>
    /// The way between pixels, and the mean square difference that it leaves: Gauss–Newton steps (B. D. Lucas and T. Kanade, 1981) from the best whole pixels, which
    /// are the shorter the less there is to hold on to in the block and the worse it fits.
    /// </summary>
    private (double Right, double Down, double Distance) Refine(int left, int top, double right, double down)
    {
        var (startRight, startDown) = (right, down);
        for (var round = 0; ; round++)
        {
            var (xx, xy, yy, x1, y1, squares) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
            for (var y = top; y < top + Side; y++)
                for (var x = left; x < left + Side; x++)
                {
                    var (fromX, fromY) = (x - right, y - down);
                    var missing = _after[x, y] - _before.Sample(fromX, fromY);
                    var slopeX = _before.Sample(fromX + 0.5, fromY) - _before.Sample(fromX - 0.5, fromY);
                    var slopeY = _before.Sample(fromX, fromY + 0.5) - _before.Sample(fromX, fromY - 0.5);
                    (xx, xy, yy) = (xx + slopeX * slopeX, xy + slopeX * slopeY, yy + slopeY * slopeY);
                    (x1, y1, squares) = (x1 - slopeX * missing, y1 - slopeY * missing, squares + missing * missing);
                }
            if (round == Rounds)
                return (right, down, squares / (Side * Side));
            var damping = Damping + squares / 4;
            (xx, yy) = (xx + damping, yy + damping);
            var determinant = xx * yy - xy * xy;
            right = Math.Clamp(right + (x1 * yy - y1 * xy) / determinant, startRight - 1, startRight + 1);
            down = Math.Clamp(down + (y1 * xx - x1 * xy) / determinant, startDown - 1, startDown + 1);
        }
    }

    /// <summary>Mean square difference between a block and its place in the picture before; any larger number once it is above <paramref name="enough"/>.</summary>
    private double Distance(int left, int top, int right, int down, double enough)
    {
        var limit = enough * Side * Side;
        var sum = 0f;
        for (var y = top; y < top + Side && sum < limit; y++)
        {
            var block = _after.Values.AsSpan(y * _after.Width + left, Side);
            var place = _before.Values.AsSpan((y - down) * _before.Width + left - right, Side);
            for (var x = 0; x < Side; x++)
                sum += (block[x] - place[x]) * (block[x] - place[x]);
        }
        return sum / (Side * Side);
    }

    private double Variance(int left, int top)
    {
        var (sum, squares) = (0.0, 0.0);
        for (var y = top; y < top + Side; y++)
            foreach (var value in _after.Values.AsSpan(y * _after.Width + left, Side))
                (sum, squares) = (sum + value, squares + value * value);
        return squares / (Side * Side) - Math.Pow(sum / (Side * Side), 2);
    }
}
