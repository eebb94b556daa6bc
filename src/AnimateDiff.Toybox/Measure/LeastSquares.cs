namespace AnimateDiff.Toybox.Measure;

/// <summary>Weighted least squares with a few unknowns.</summary>
internal sealed class LeastSquares(int unknowns)
{
    private readonly double[,] _normal = new double[unknowns, unknowns + 1];

    /// <summary>Adds an equation <paramref name="factors"/> · unknowns = <paramref name="value"/>.</summary>
    public void Add(ReadOnlySpan<double> factors, double value, double weight = 1)
    {
        for (var row = 0; row < unknowns; row++)
        {
            for (var column = 0; column < unknowns; column++)
                _normal[row, column] += weight * factors[row] * factors[column];
            _normal[row, unknowns] += weight * factors[row] * value;
        }
    }

    /// <summary>The unknowns; one that nothing depends on comes out as 0.</summary>
    /// <param name="damping">How much of its own weight each unknown is pulled to 0 with.</param>
    public double[] Solve(double damping = 1e-9)
    {
        var matrix = (double[,])_normal.Clone();
        for (var i = 0; i < unknowns; i++)
            matrix[i, i] += damping * matrix[i, i] + 1e-12;
        for (var pivot = 0; pivot < unknowns; pivot++)                                                                  // positive definite: no exchange of rows is needed
            for (var row = 0; row < unknowns; row++)
            {
                if (row == pivot)
                    continue;
                var factor = matrix[row, pivot] / matrix[pivot, pivot];
                for (var column = pivot; column <= unknowns; column++)
                    matrix[row, column] -= factor * matrix[pivot, column];
            }
        return [.. Enumerable.Range(0, unknowns).Select(i => matrix[i, unknowns] / matrix[i, i])];
    }
}
