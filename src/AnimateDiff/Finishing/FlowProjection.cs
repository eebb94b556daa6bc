namespace AnimateDiff.Finishing;

/// <summary>
/// The movement that passes through each pixel at a time between two pictures: those of both pictures' pixels are carried there, and where several arrive,
/// the most credible one stays with those that agree with it. Pixels at which none arrives get their neighbours' (Baker et al. 2011, A Database and
/// Evaluation Methodology for Optical Flow, §3.3.2, carries one picture's alone).
/// </summary>
internal sealed class FlowProjection
{
    private const float Agreement = 1;                                      // pixels by which movements of one thing may differ

    private readonly int _height, _width;
    private readonly float[] _best, _bestX, _bestY, _weight, _x, _y;

    private FlowProjection(int height, int width)
    {
        (_height, _width) = (height, width);
        (_best, _bestX, _bestY) = (new float[height * width], new float[height * width], new float[height * width]);
        (_weight, _x, _y) = (new float[height * width], new float[height * width], new float[height * width]);
    }

    /// <summary>Movement from the first picture to the second of what is at each place at time <paramref name="time"/>, [1, 2, H, W].</summary>
    /// <param name="forward">Movement from the first picture to the second, [1, 2, H, W].</param>
    /// <param name="forwardCredit">How credible it is, [1, 1, H, W], above 0.</param>
    /// <param name="backward">Movement from the second to the first.</param>
    /// <param name="backwardCredit">How credible that is.</param>
    /// <param name="time">0…1</param>
    public static Tensor At(Tensor forward, Tensor forwardCredit, Tensor backward, Tensor backwardCredit, double time)
    {
        var (height, width) = ((int)forward.shape[2], (int)forward.shape[3]);
        var projection = new FlowProjection(height, width);
        var (there, back) = (Numbers(forward), Numbers(backward));
        var (thereCredit, backCredit) = (Numbers(forwardCredit), Numbers(backwardCredit));
        for (var pass = 0; pass < 2; pass++)
        {
            projection.Carry(there, thereCredit, 1, (float)time, isFirst: pass == 0);
            projection.Carry(back, backCredit, -1, (float)(1 - time), isFirst: pass == 0);
        }
        projection.Finish();
        return tensor([.. projection._x, .. projection._y], [1, 2, height, width]);
    }

    private static float[] Numbers(Tensor values)
    {
        using var dense = values.contiguous();
        return dense.data<float>().ToArray();
    }

    // In the first pass the most credible movement of each place is found, in the second those that agree with it are averaged.
    private void Carry(float[] flow, float[] credit, int sign, float share, bool isFirst)
    {
        for (int y = 0, i = 0; y < _height; y++)
            for (var x = 0; x < _width; x++, i++)
            {
                var (u, v) = (flow[i], flow[_height * _width + i]);
                var (toX, toY) = (x + share * u, y + share * v);
                var (left, top) = ((int)MathF.Floor(toX), (int)MathF.Floor(toY));
                for (var corner = 0; corner < 4; corner++)
                {
                    var (cx, cy) = (left + (corner & 1), top + (corner >> 1));
                    var weight = credit[i] * (1 - MathF.Abs(toX - cx)) * (1 - MathF.Abs(toY - cy));
                    if (cx < 0 || cy < 0 || cx >= _width || cy >= _height || weight <= 0)
                        continue;
                    Arrive(cy * _width + cx, sign * u, sign * v, weight, isFirst);
                }
            }
    }

    private void Arrive(int at, float u, float v, float weight, bool isFirst)
    {
        if (isFirst && weight > _best[at])
            (_best[at], _bestX[at], _bestY[at]) = (weight, u, v);
        else if (!isFirst && MathF.Abs(u - _bestX[at]) <= Agreement && MathF.Abs(v - _bestY[at]) <= Agreement)
        {
            _weight[at] += weight;
            _x[at] += weight * u;
            _y[at] += weight * v;
        }
    }

    // The averages; then, ring by ring, places without one take the mean of their neighbours with one.
    private void Finish()
    {
        var empty = new List<int>();
        for (var at = 0; at < _weight.Length; at++)
            if (_weight[at] > 0)
                (_x[at], _y[at]) = (_x[at] / _weight[at], _y[at] / _weight[at]);
            else
                empty.Add(at);
        while (empty.Count is > 0 and var count && count < _weight.Length)
        {
            (int At, float X, float Y)[] filled = [.. empty.Select(Neighbours).OfType<(int, float, float)>()];
            foreach (var (at, x, y) in filled)
                (_x[at], _y[at], _weight[at]) = (x, y, 1);
            empty.RemoveAll(at => _weight[at] > 0);
        }
    }

    private (int At, float X, float Y)? Neighbours(int at)
    {
        var (count, x, y) = (0, 0f, 0f);
        foreach (var (dx, dy) in new[] { (-1, 0), (1, 0), (0, -1), (0, 1) })
        {
            var (nx, ny) = (at % _width + dx, at / _width + dy);
            if (nx < 0 || ny < 0 || nx >= _width || ny >= _height || _weight[ny * _width + nx] <= 0)
                continue;
            (count, x, y) = (count + 1, x + _x[ny * _width + nx], y + _y[ny * _width + nx]);
        }
        return count == 0 ? null : (at, x / count, y / count);
    }
}
