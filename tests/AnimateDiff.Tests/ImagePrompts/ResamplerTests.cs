using AnimateDiff.ImagePrompts;

namespace AnimateDiff.Tests.ImagePrompts;

public class ResamplerTests
{
    /// <summary>The formulas of the perceiver resampler, one number after the other.</summary>
    [Fact]
    public void Tokens_equal_the_formulas_step_by_step()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var shape = new ResamplerShape(Tokens: 3, Channels: 10, Inner: 128, Layers: 2, FeedForward: 20);
        using var resampler = new Resampler(6, shape, 8);
        using var generator = new Generator(3);
        foreach (var (_, parameter) in resampler.named_parameters())
            parameter.copy_(randn(parameter.shape, generator: generator) * 0.5);
        var patches = randn([2, 5, 6], generator: generator);
        var actual = resampler.call(patches);
        Assert.Equal([2, 3, 8], actual.shape);

        var weights = resampler.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter.to(ScalarType.Float64));
        double[][] W(string name) => Rows(weights[name]);
        double[] V(string name) => weights[name].data<double>().ToArray();
        for (var picture = 0; picture < 2; picture++)
        {
            var seen = Plus(Times(Rows(patches[picture].to(ScalarType.Float64)), W("proj_in.weight")), V("proj_in.bias"));
            var queries = Rows(weights["latents"][0]);
            for (var layer = 0; layer < 2; layer++)
            {
                var at = $"layers.{layer}";
                var own = Norm(queries, V($"{at}.0.norm2.weight"), V($"{at}.0.norm2.bias"));
                double[][] context = [.. Norm(seen, V($"{at}.0.norm1.weight"), V($"{at}.0.norm1.bias")), .. own];
                var (query, both) = (Times(own, W($"{at}.0.to_q.weight")), Times(context, W($"{at}.0.to_kv.weight")));
                var mixed = query.Select(q => Enumerable.Range(0, 2).SelectMany(head =>
                {
                    var scores = both.Select(pair => Enumerable.Range(head * 64, 64).Sum(c => q[c] * pair[c]) / 8).ToArray();
                    var shares = scores.Select(score => Math.Exp(score - scores.Max())).ToArray();
                    return Enumerable.Range(128 + head * 64, 64).Select(c => both.Select((pair, l) => shares[l] * pair[c]).Sum() / shares.Sum());
                }).ToArray()).ToArray();
                queries = Sum(queries, Times(mixed, W($"{at}.0.to_out.weight")));
                var wide = Times(Norm(queries, V($"{at}.1.0.weight"), V($"{at}.1.0.bias")), W($"{at}.1.1.weight"));
                queries = Sum(queries, Times([.. wide.Select(row => row.Select(Gelu).ToArray())], W($"{at}.1.3.weight")));
            }
            var expected = Norm(Plus(Times(queries, W("proj_out.weight")), V("proj_out.bias")), V("norm_out.weight"), V("norm_out.bias"));
            for (var token = 0; token < 3; token++)
                for (var c = 0; c < 8; c++)
                    Assert.InRange(actual[picture, token, c].item<float>(), expected[token][c] - 1e-4, expected[token][c] + 1e-4);
        }
    }

    private static double[][] Rows(Tensor matrix) => [.. Enumerable.Range(0, (int)matrix.shape[0]).Select(row => matrix[row].data<double>().ToArray())];

    private static double[][] Times(double[][] rows, double[][] weight) => [.. rows.Select(row => weight.Select(output => output.Zip(row, (w, x) => w * x).Sum()).ToArray())];

    private static double[][] Plus(double[][] rows, double[] bias) => [.. rows.Select(row => row.Zip(bias, (x, b) => x + b).ToArray())];

    private static double[][] Sum(double[][] left, double[][] right) => [.. left.Zip(right, (x, y) => x.Zip(y, (a, b) => a + b).ToArray())];

    private static double[][] Norm(double[][] rows, double[] weight, double[] bias) => [.. rows.Select(row =>
    {
        var mean = row.Average();
        var deviation = Math.Sqrt(row.Average(x => (x - mean) * (x - mean)) + 1e-5);
        return row.Select((x, c) => (x - mean) / deviation * weight[c] + bias[c]).ToArray();
    })];

    private static double Gelu(double x)
    {
        using var value = tensor(x / Math.Sqrt(2), ScalarType.Float64);
        using var erf = value.erf();
        return x * 0.5 * (1 + erf.item<double>());
    }
}
