using AnimateDiff.Denoising;
using AnimateDiff.Weights;
using TorchSharp.Modules;

namespace AnimateDiff.Tests.Denoising;

/// <summary>Recomputed activations: the gradients of kept ones, bit for bit, of everything that can want one.</summary>
public sealed class RecomputeTests
{
    private const long Frames = 3, Size = 6;

    [Fact]
    public void All_parameters_and_inputs_get_the_same_gradients()
    {
        using var unet = Model();
        var kept = Gradients(unet, [.. unet.parameters()], inputsWant: true);
        unet.Recomputes = true;
        AssertSame(kept, Gradients(unet, [.. unet.parameters()], inputsWant: true));
    }

    [Theory]
    [InlineData(false, "attention")]
    [InlineData(true, "attention")]
    [InlineData(false, "conv1d")]
    public void Motion_modules_on_a_frozen_UNet_get_the_same_gradients(bool acrossFrames, string temporal)
    {
        using var unet = Model(temporal);
        (unet.MotionNormAcrossFrames, unet.ResnetNormAcrossFrames) = (acrossFrames, acrossFrames);
        Parameter[] motion = [.. unet.named_parameters().Where(entry => UNetMotionModel.IsMotion(entry.name)).Select(entry => entry.parameter)];
        var kept = Gradients(unet, motion, inputsWant: false);
        unet.Recomputes = true;
        AssertSame(kept, Gradients(unet, motion, inputsWant: false));
    }

    [Theory]
    [InlineData("attn1.to_q")]
    [InlineData("attn2.to_k")]
    [InlineData("up_blocks.1.attentions.1.transformer_blocks.0.ff.net.2")]
    public void Low_rank_additions_get_the_same_gradients(string where)
    {
        using var unet = Model();
        var additions = new List<Parameter>();
        foreach (var (name, module) in unet.named_modules().Where(entry => entry.name.Contains(where) && entry.module is Linear))
        {
            var linear = (Linear)module;
            Parameter down = new(randn([2, linear.weight.shape[1]], generator: Random(name.Length)), requires_grad: true), up = new(ones(linear.weight.shape[0], 2), requires_grad: true);
            linear.register_forward_hook((_, input, output) => output + nn.functional.linear(nn.functional.linear(input, down), up));
            additions.AddRange([down, up]);
        }
        var kept = Gradients(unet, [.. additions], inputsWant: false);
        unet.Recomputes = true;
        AssertSame(kept, Gradients(unet, [.. additions], inputsWant: false));
        additions.ForEach(parameter => parameter.Dispose());
    }

    [Fact]
    public void What_pictures_add_beside_the_text_is_not_lost()
    {
        using var scope = NewDisposeScope();
        using var unet = Model();
        foreach (var parameter in unet.parameters())
            parameter.requires_grad = true;
        Tensor[] outputs = [.. new[] { (false, 0f), (false, 0.5f), (true, 0.5f) }.Select(run =>
        {
            (unet.Recomputes, var weight) = run;
            using var text = unet.Prepare(Draw(3, 2, 5, 16));
            foreach (var layer in unet.CrossAttentions)
                text.Add(layer, new(layer.Split(Draw(5, 1, 3, layer.Channels), Draw(6, 1, 3, layer.Channels)), [weight]));
            return unet.call(Draw(2, 2, 4, Frames, Size, Size), tensor([10f, 700f]), text).detach();
        })];
        Assert.Equal(0.0, Goldens.Difference(outputs[2], outputs[1]));
        Assert.InRange(Goldens.Difference(outputs[1], outputs[0]), 1e-4, 1e4);
    }

    [Fact]
    public void Nothing_is_kept_where_nothing_learns()
    {
        using var unet = Model();
        unet.Recomputes = true;
        using var scope = NewDisposeScope();
        Assert.False(unet.Predict(Draw(0, 1, 4, Frames, Size, Size), full([1], 500.0), Draw(1, 1, 5, 16)).requires_grad);
    }

    [Fact]
    public void Steps_leave_no_tensors()
    {
        using var unet = Model();
        unet.Recomputes = true;
        Parameter[] motion = [.. unet.named_parameters().Where(entry => UNetMotionModel.IsMotion(entry.name)).Select(entry => entry.parameter)];
        foreach (var tensors in Gradients(unet, motion, inputsWant: false))
            tensors?.Dispose();
        DisposeScopeManager.Statistics.Reset();
        for (var step = 0; step < 3; step++)
            foreach (var tensors in Gradients(unet, motion, inputsWant: false))
                tensors?.Dispose();
        Assert.Equal(0, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    private static UNetMotionModel Model(string temporal = "attention")
    {
        var unet = new UNetMotionModel(
            new UNetConfig
            {
                BlockOutChannels = [16, 32],
                DownBlockTypes = ["CrossAttnDownBlock2D", "DownBlock2D"],
                UpBlockTypes = ["UpBlock2D", "CrossAttnUpBlock2D"],
                LayersPerBlock = 1,
                CrossAttentionDim = 16,
                AttentionHeadDim = 2,
                NormNumGroups = 4,
            },
            new MotionConfig { BlockOutChannels = [16, 32], MotionLayersPerBlock = 1, MotionNumAttentionHeads = 2, MotionNormNumGroups = 4, UseMotionMidBlock = true, Temporal = temporal },
            META);
        ModuleWeights.Initialise(unet, null, seed: 1);
        return unet;
    }

    private static Generator Random(int seed) => new((ulong)seed, CPU);

    private static Tensor Draw(int seed, params long[] shape) => randn(shape, generator: Random(seed));

    /// <summary>One backward pass: gradients of the parameters, then of latents, timestep and text.</summary>
    private static List<Tensor?> Gradients(UNetMotionModel unet, Parameter[] trained, bool inputsWant)
    {
        using var scope = NewDisposeScope();
        foreach (var parameter in trained)
            parameter.requires_grad = true;
        Tensor[] inputs = [Draw(2, 2, 4, Frames, Size, Size), tensor([10f, 700f]), Draw(3, 2, 5, 16)];
        foreach (var input in inputs)
            input.requires_grad = inputsWant;
        using (var prediction = unet.Predict(inputs[0], inputs[1], inputs[2]))
        using (var loss = (prediction - Draw(4, prediction.shape)).square().mean())
            loss.backward();
        List<Tensor?> gradients = [.. trained.Concat(inputs).Select(tensor => tensor.grad?.clone().DetachFromDisposeScope())];
        foreach (var parameter in trained)
            parameter.grad = null;
        return gradients;
    }

    private static void AssertSame(List<Tensor?> expected, List<Tensor?> actual)
    {
        Assert.True(expected.Count(gradient => gradient is not null) > 1);
        foreach (var (one, other) in expected.Zip(actual, (one, other) => (one, other)))
        {
            Assert.Equal(one is null, other is null);
            Assert.Equal(0.0, one is null ? 0 : Goldens.Difference(other!, one));
            one?.Dispose();
            other?.Dispose();
        }
    }
}
