namespace AnimateDiff.Tests.Layers;

/// <summary>The linear layer gives the product of matrices on each of its ways.</summary>
public class LinearTests
{
    [Theory]
    [InlineData(ScalarType.Float32, true, 3, 5)]            // few rows
    [InlineData(ScalarType.Float32, true, 16, 48)]          // as a convolution
    [InlineData(ScalarType.Float32, false, 16, 48)]
    [InlineData(ScalarType.Float32, true, 7, 101)]          // many rows that do not divide
    [InlineData(ScalarType.BFloat16, true, 16, 48)]
    public void Rows_are_multiplied(ScalarType type, bool hasBias, long clips, long tokens)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var layer = Made(hasBias, type);
        var x = Draw(2, clips, tokens, 24).to(type);
        var expected = x.to(ScalarType.Float64).matmul(layer.weight.to(ScalarType.Float64).t());
        if (layer.bias is { } bias)
            expected = expected + bias.to(ScalarType.Float64);
        var result = layer.call(x);
        Assert.Equal([clips, tokens, 40], result.shape);
        Assert.Equal(type, result.dtype);
        Assert.True(result.is_contiguous());
        Assert.InRange((result.to(ScalarType.Float64) - expected).abs().max().item<double>(), 0, type == ScalarType.Float32 ? 1e-5 : 0.125);
    }

    [Fact]
    public void Gradients_are_those_of_the_product()
    {
        using var scope = NewDisposeScope();
        using var layer = Made(hasBias: true, ScalarType.Float32);
        var x = Draw(2, 16, 48, 24).requires_grad_();
        var weights = Draw(3, 16, 48, 40);
        (layer.call(x) * weights).sum().backward();
        var rows = weights.flatten(0, 1).to(ScalarType.Float64);
        Close(rows.t().matmul(x.detach().flatten(0, 1).to(ScalarType.Float64)), layer.weight.grad!);
        Close(rows.sum([0]), layer.bias!.grad!);
        Close(rows.matmul(layer.weight.detach().to(ScalarType.Float64)).view(16, 48, 24), x.grad!);
    }

    [Fact]
    public void A_weight_that_is_set_is_the_layers_and_the_old_one_is_freed()
    {
        using var scope = NewDisposeScope();
        using var layer = Made(hasBias: true, ScalarType.Float32);
        var old = layer.weight;
        var next = new TorchSharp.Modules.Parameter(ones(40, 24), requires_grad: false);
        layer.weight = next;
        Assert.True(old.IsInvalid);
        Assert.Equal(next.Handle, layer.named_parameters().Single(entry => entry.name == "weight").parameter.Handle);
        layer.to(ScalarType.BFloat16);
        Assert.All(layer.named_parameters(), entry => Assert.Equal(ScalarType.BFloat16, entry.parameter.dtype));
        Assert.Equal(ScalarType.BFloat16, layer.weight.dtype);
    }

    private static Linear Made(bool hasBias, ScalarType type)
    {
        using var _ = no_grad();
        var layer = new Linear(24, 40, hasBias);
        layer.weight.copy_(Draw(1, 40, 24));
        return (Linear)layer.to(type);
    }

    private static Tensor Draw(ulong seed, params long[] shape)
    {
        using var generator = new Generator(seed, CPU);
        return randn(shape, generator: generator);
    }

    private static void Close(Tensor expected, Tensor found) =>
        Assert.InRange((found.to(ScalarType.Float64) - expected).abs().max().item<double>() / expected.abs().max().item<double>(), 0, 1e-5);
}
