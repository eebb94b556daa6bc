using AnimateDiff.Lora;
using AnimateDiff.Tests.Weights;
using AnimateDiff.Weights;
using TorchSharp.Modules;

namespace AnimateDiff.Tests.Lora;

public sealed class LoraStackTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private int _reads;

    public void Dispose() => _scope.Dispose();

    private static LoraLayer Layer(Tensor up, Tensor down, double scale = 1) => new(WeightTensor.Of(down), WeightTensor.Of(up), scale);

    private static LoraWeights Weights(string path, params (string Path, LoraLayer Layer)[] layers)
        => new(path, LoraKind.Lora, layers.ToDictionary(layer => layer.Path, layer => layer.Layer));

    private static LoraStack Stack(nn.Module unet) => new(new Dictionary<string, nn.Module> { ["unet"] = unet });

    /// <summary>A model with a linear layer, a 3×3 and a 1×1 convolution.</summary>
    private static Sequential Model(ScalarType dtype = ScalarType.Float32)
    {
        using var _ = no_grad();
        var generator = new Generator(1);
        var model = nn.Sequential(("linear", new Linear(6, 4)), ("conv", new Conv2d(3, 5, 3)), ("point", new Conv2d(3, 4, 1)));
        foreach (var (_, parameter) in model.named_parameters())
            parameter.copy_(randn(parameter.shape, generator: generator));
        model.to(dtype);
        return model;
    }

    /// <summary>An adapter of random matrices on some layers of <see cref="Model"/>.</summary>
    private LoraWeights Random(string path, ulong seed, LoraKind kind, params string[] layers)
    {
        var generator = new Generator(seed);
        WeightTensor Matrix(params long[] shape)
        {
            var tensor = randn(shape, generator: generator).to(ScalarType.Float16);
            return WeightTensor.Of(tensor) with { Read = () => { _reads++; return tensor.clone(); } };
        }
        return new LoraWeights(path, kind, layers.ToDictionary(layer => $"unet.{layer}", layer => layer switch
        {
            "linear" => new LoraLayer(Matrix(2, 6), Matrix(4, 2), 0.5),
            "conv" => new LoraLayer(Matrix(2, 3, 3, 3), Matrix(5, 2, 1, 1), 1),
            _ => new LoraLayer(Matrix(2, 3), Matrix(4, 2), 1),
        }));
    }

    private static Tensor[] Snapshot(nn.Module model) => [.. model.parameters().Select(parameter => parameter.detach().clone())];

    private static void AssertSame(Tensor[] expected, nn.Module model)
    {
        foreach (var (left, right) in expected.Zip(model.parameters()))
            Assert.True(Bits.Same(left, right));
    }

    [Fact]
    public void Linear_weight_gets_scale_times_alpha_over_rank_times_up_down()
    {
        using var model = nn.Sequential(("linear", nn.Linear(3, 2)));
        using (no_grad())
            model.parameters().First().copy_(tensor(new float[,] { { 1, 2, 3 }, { 4, 5, 6 } }));
        using var stack = Stack(model);
        stack.Set([(Weights("a", ("unet.linear", Layer(tensor(new float[,] { { 1 }, { -2 } }), tensor(new float[,] { { 10, 20, 30 } }), scale: 0.5))), 0.2)]);
        // 0.2 · 0.5 · [1, −2]ᵀ [10, 20, 30] = [[1, 2, 3], [−2, −4, −6]]
        Assert.Equal(0, Goldens.Difference(model.parameters().First(), tensor(new float[,] { { 2, 4, 6 }, { 2, 1, 0 } })), 1e-6);
    }

    [Fact]
    public void Convolutions_take_windows_and_plain_matrices()
    {
        using var model = Model();
        var before = Snapshot(model);
        Tensor up = randn(5, 2, 1, 1), down = randn(2, 3, 3, 3), pointUp = randn(4, 2), pointDown = randn(2, 3), linearUp = randn(4, 2, 1, 1), linearDown = randn(2, 6, 1, 1);
        using var stack = Stack(model);
        stack.Set([(Weights("a", ("unet.conv", Layer(up, down)), ("unet.point", Layer(pointUp, pointDown)), ("unet.linear", Layer(linearUp, linearDown))), 0.7)]);
        var after = Snapshot(model);
        // A LoRA is two layers in a row: the response to any input must be that of the original and of the two.
        var image = randn(1, 3, 8, 8);
        var expected = nn.functional.conv2d(image, before[2]) + 0.7 * nn.functional.conv2d(nn.functional.conv2d(image, down), up);
        Assert.Equal(0, Goldens.Difference(nn.functional.conv2d(image, after[2]), expected), 1e-4);
        var point = nn.functional.conv2d(image, before[4]) + 0.7 * nn.functional.conv2d(nn.functional.conv2d(image, pointDown[.., .., TensorIndex.None, TensorIndex.None]), pointUp[.., .., TensorIndex.None, TensorIndex.None]);
        Assert.Equal(0, Goldens.Difference(nn.functional.conv2d(image, after[4]), point), 1e-4);
        Assert.Equal(0, Goldens.Difference(after[0], before[0] + 0.7 * linearUp.flatten(1).matmul(linearDown.flatten(1))), 1e-6);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Weights_depend_on_the_set_alone_bit_for_bit(ScalarType dtype)
    {
        LoraWeights[] all =
        [
            Random("b.safetensors", 1, LoraKind.Lora, "linear", "conv", "point"), Random("a.ckpt", 2, LoraKind.DomainAdapter, "linear"),
            Random("a.ckpt", 3, LoraKind.MotionLora, "linear", "conv"), Random("c.safetensors", 4, LoraKind.Lora, "point", "conv"),
        ];
        var known = new Dictionary<string, Tensor[]>();
        var random = new Random(7);
        for (var model = 0; model < 4; model++)
        {
            using var unet = Model(dtype);
            known.TryAdd("", Snapshot(unet));
            using var stack = Stack(unet);
            for (var step = 0; step < 40; step++)
            {
                (LoraWeights Weights, double Scale)[] set = [.. all.Where(_ => random.Next(2) == 0).Select(weights => (weights, random.Next(3) * 0.3))];
                random.Shuffle(set);
                stack.Set(set);
                var key = string.Join(";", set.Where(item => item.Scale != 0).Select(item => $"{Array.IndexOf(all, item.Weights)}:{item.Scale}").Order());
                if (known.TryGetValue(key, out var expected))
                    AssertSame(expected, unet);
                else
                    known.Add(key, Snapshot(unet));
            }
            stack.Set([]);
            AssertSame(known[""], unet);
        }
        Assert.InRange(known.Count, 20, 82);
    }

    [Fact]
    public void One_file_given_twice_counts_twice_in_either_order()
    {
        using var model = Model();
        var adapter = Random("a", 1, LoraKind.Lora, "linear");
        using var stack = Stack(model);
        stack.Set([(adapter, 0.25), (adapter, 0.5)]);
        var twice = Snapshot(model);
        stack.Set([(adapter, 0.5), (adapter, 0.25)]);
        AssertSame(twice, model);
        stack.Set([(adapter, 0.75)]);
        Assert.Equal(0, Goldens.Difference(twice[0], model.parameters().First()), 1e-6);
    }

    [Fact]
    public void Matrices_are_read_once_and_only_layers_that_change_are_computed()
    {
        using var model = Model();
        LoraWeights first = Random("a", 1, LoraKind.Lora, "linear"), second = Random("b", 2, LoraKind.Lora, "conv");
        using var stack = Stack(model);
        stack.Set([(first, 1), (second, 1)]);
        Assert.Equal(4, _reads);
        using (no_grad())
            model.get_parameter("linear.weight")!.fill_(7);
        for (var step = 0; step < 5; step++)
            stack.Set([(first, 1), (second, step * 0.1)]);
        Assert.Equal(4, _reads);
        Assert.Equal(7f, model.get_parameter("linear.weight")!.max().item<float>());
        stack.Set([(first, 1)]);
        stack.Set([(first, 1), (second, 1)]);
        Assert.Equal(6, _reads);
    }

    [Fact]
    public void Strides_and_storage_of_a_weight_stay()
    {
        using var model = Model();
        var conv = (Conv2d)model.named_modules().Single(part => part.name == "conv").module;
        conv.weight = new Parameter(conv.weight.detach().permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2), requires_grad: false);
        var (handle, strides, before) = (conv.weight.Handle, conv.weight.stride(), conv.weight.clone());
        using var stack = Stack(model);
        stack.Set([(Random("a", 1, LoraKind.Lora, "conv"), 1)]);
        Assert.Equal(handle, conv.weight.Handle);
        Assert.Equal(strides, conv.weight.stride());
        Assert.NotEqual(0, Goldens.Difference(conv.weight, before));
        stack.Set([]);
        Assert.True(Bits.Same(conv.weight, before));
        Assert.Equal(strides, conv.weight.stride());
    }

    [Fact]
    public void Weights_made_in_inference_mode_and_weights_in_training_are_both_changed()
    {
        Sequential model;
        using (inference_mode())
            model = Model();
        using var stack = Stack(model);
        stack.Set([(Random("a", 1, LoraKind.Lora, "linear"), 1)]);
        stack.Set([]);
        model.Dispose();

        using var trained = nn.Sequential(("linear", nn.Linear(6, 4)));
        using var trainedStack = Stack(trained);
        trainedStack.Set([(Random("a", 1, LoraKind.Lora, "linear"), 1)]);
        trained.call(ones(1, 6)).sum().backward();
        Assert.NotNull(trained.parameters().First().grad);
    }

    [Fact]
    public void Mid_block_of_a_MotionLoRA_is_left_out_where_the_motion_module_has_none()
    {
        using var unet = nn.Sequential(("down_blocks", nn.Sequential(("0", nn.Linear(6, 4)))), ("mid_block", nn.Sequential(("resnets", nn.Linear(6, 4)))));
        using var stack = Stack(unet);
        var layer = Layer(randn(4, 2), randn(2, 6));
        Dictionary<string, LoraLayer> layers = new() { ["unet.down_blocks.0"] = layer, ["unet.mid_block.motion_modules.0.transformer_blocks.0.attn1.to_q"] = layer };
        stack.Set([(new LoraWeights("motion.ckpt", LoraKind.MotionLora, layers), 1)]);
        Assert.Equal(["unet.mid_block.motion_modules.0.transformer_blocks.0.attn1.to_q"], stack.Skipped);
        Assert.Contains("1 are missing", Assert.Throws<FileException>(() => stack.Set([(new LoraWeights("look.ckpt", LoraKind.Lora, layers), 1)])).Message);
        stack.Set([]);
        Assert.Empty(stack.Skipped);
    }

    [Fact]
    public void An_adapter_for_another_base_is_refused_before_anything_changes()
    {
        using var attention = nn.Sequential(("attn2", nn.Sequential(("to_k", nn.Linear(768, 4)), ("to_q", nn.Linear(6, 4)))));
        var before = Snapshot(attention);
        using var stack = Stack(attention);
        var good = Weights("good", ("unet.attn2.to_q", Layer(randn(4, 2), randn(2, 6))));
        var wrong = Weights("sdxl.safetensors", ("unet.attn2.to_k", Layer(randn(4, 2), randn(2, 2048))), ("unet.attn2.to_q", Layer(randn(4, 2), randn(2, 6))), ("unet.attn3.to_q", Layer(randn(4, 2), randn(2, 6))));
        var error = Assert.Throws<FileException>(() => stack.Set([(good, 1), (wrong, 1)]));
        Assert.Contains("sdxl.safetensors does not fit this model: of its 3 layers 1 are missing and 1 are of another shape; it seems made for SDXL, and this is Stable Diffusion 1.x.", error.Message);
        Assert.Contains("unet.attn2.to_k: found [4, 2] · [2, 2048], expected their product to be [4, 768]", error.Message);
        Assert.Contains("missing: unet.attn3.to_q", error.Message);
        AssertSame(before, attention);

        var ranks = Weights("ranks", ("unet.attn2.to_q", Layer(randn(4, 3), randn(2, 6))));
        Assert.Throws<FileException>(() => stack.Set([(ranks, 1)]));
        var noScale = Weights("scale", ("unet.attn2.to_q", Layer(randn(4, 2), randn(2, 6), double.NaN)));
        Assert.Throws<FileException>(() => stack.Set([(noScale, 1)]));
        Assert.Throws<RequestException>(() => stack.Set([(good, double.PositiveInfinity)]));
        var unreadable = Weights("cut", ("unet.attn2.to_q", new LoraLayer(new WeightTensor(ScalarType.Float32, [2, 6], () => throw new FileException("cut", "It is cut short.")), WeightTensor.Of(randn(4, 2)), 1)));
        Assert.Throws<FileException>(() => stack.Set([(good, 1), (unreadable, 1)]));
        AssertSame(before, attention);
        stack.Set([(good, 1)]);
        stack.Set([]);
        AssertSame(before, attention);
    }

    [Fact]
    public void Nothing_is_left_in_memory()
    {
        using var model = Model();
        LoraWeights first = Random("a", 1, LoraKind.Lora, "linear", "conv", "point"), second = Random("b", 2, LoraKind.Lora, "conv");
        // Per thread: other tests make tensors at the same time.
        var live = DisposeScopeManager.Statistics;
        var before = live.ThreadTotalLiveCount;
        var stack = Stack(model);
        for (var step = 0; step < 20; step++)
            stack.Set([(first, step * 0.1), (second, 1)]);
        stack.Set([(second, 1)]);
        // The kept weight, and the two matrices.
        Assert.Equal(before + 3, live.ThreadTotalLiveCount);
        stack.Dispose();
        Assert.Equal(before, live.ThreadTotalLiveCount);
    }
}
