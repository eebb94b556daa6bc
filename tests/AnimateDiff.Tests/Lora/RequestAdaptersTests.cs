using AnimateDiff.Denoising;
using AnimateDiff.Lora;
using AnimateDiff.Tests.Parity;
using AnimateDiff.Tests.Text;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Lora;

/// <summary>Strengths that change, on the reference UNet.</summary>
public sealed class RequestAdaptersTests
{
    // What merging rounds differently from computing beside the weights.
    private const double Tolerance = 2e-4;

    /// <summary>Without motion modules frames know nothing of each other, so each must be as if all had its strength. The tokens are more than one piece of a feed-forward layer.</summary>
    [Theory]
    [InlineData("kohya-style.safetensors")]
    [InlineData("domain-adapter.ckpt")]
    public void Each_frame_of_image_layers_has_its_own_strength(string file)
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var model = new Model(null, [file]);
        var (sample, text) = (randn([2, 4, 3, 32, 32]), randn([2, 7, model.UNet.Config.CrossAttentionDim]));
        Tensor[] whole = [.. new double[] { 0, 0.5, 1 }.Select(scale => model.Call([scale], sample, text))];
        var curved = model.Call([Curve.Parse("0:0,2:1")], sample, text);
        var expected = cat([whole[0].narrow(2, 0, 1), whole[1].narrow(2, 1, 1), whole[2].narrow(2, 2, 1)], 2);
        Assert.InRange(Goldens.Difference(curved, expected), 0, Tolerance);
        Assert.True(Goldens.Difference(whole[2].narrow(2, 1, 1), expected.narrow(2, 1, 1)) > 10 * Tolerance);

        long[] window = [2, 0];
        var part = model.Call([Curve.Parse("0:0,2:1")], sample.index_select(2, tensor(window)), text, window);
        Assert.InRange(Goldens.Difference(part, expected.index_select(2, tensor(window))), 0, Tolerance);
        Assert.Equal(0, Goldens.Difference(model.Call([0], sample, text), whole[0]));
    }

    [Fact]
    public void Strengths_over_frames_are_those_of_merged_weights_in_motion_layers_and_add_up()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var model = new Model("v2", ["motionlora-zoom-in.ckpt", "motionlora-pan-left.ckpt"]);
        var (sample, text) = (randn([2, 4, 4, 8, 8]), randn([2, 7, model.UNet.Config.CrossAttentionDim]));
        var merged = model.Call([1, 0.5], sample, text);
        var plain = model.Call([0, 0], sample, text);
        Assert.InRange(Goldens.Difference(model.Call([Curve.Parse("0:1,3:1"), 0.5], sample, text), merged), 0, Tolerance);
        Assert.InRange(Goldens.Difference(model.Call([Curve.Parse("0:1,3:1"), Curve.Parse("0:0.5,3:0.5")], sample, text), merged), 0, Tolerance);
        Assert.InRange(Goldens.Difference(model.Call([Curve.Parse("0:0,3:0"), 0], sample, text), plain), 0, 1e-5);
        var curved = model.Call([Curve.Parse("0:0,3:1"), 0], sample, text);
        Assert.True(Goldens.Difference(curved, plain) > 10 * Tolerance);
        Assert.True(Goldens.Difference(curved, model.Call([1, 0], sample, text)) > 10 * Tolerance);
        var error = Assert.Throws<RequestException>(() => model.Adapters.Start([(model.Files[0].Weights, Curve.Parse("0:0,3:1"))], new FreeNoise(2, 1)));
        Assert.Contains("use context windows", error.Message);
    }

    [Fact]
    public void Over_steps_the_weights_follow_bit_for_bit_and_the_text_is_made_anew()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var model = new Model(null, ["kohya-style.safetensors"]);
        var (sample, text) = (randn([2, 4, 2, 8, 8]), randn([2, 7, model.UNet.Config.CrossAttentionDim]));
        Tensor[] whole = [.. new double[] { 1, 0.5, 0 }.Select(scale => model.Call([scale], sample, text))];
        model.Adapters.Start([(model.Files[0].Weights, Curve.Parse("0%:1,100%:0"))]);
        foreach (var (step, expected) in whole.Index())
        {
            Assert.Equal(step > 0, model.Adapters.MoveTo(step, 3));
            using var context = model.Adapters.Prepare(text, null, 2, perFrame: false);
            Assert.Equal(0, Goldens.Difference(model.UNet.call(sample, tensor([500L]), context), expected));
        }
        Assert.False(model.Adapters.MoveTo(2, 3));
        Assert.True(Goldens.Difference(whole[0], whole[1]) > 1e-3);
    }

    [Fact]
    public void Nothing_is_left_behind()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var model = new Model(null, ["kohya-style.safetensors"]);
        var (sample, text) = (randn([2, 4, 2, 8, 8]), randn([2, 7, model.UNet.Config.CrossAttentionDim]));
        model.Call([0], sample, text).Dispose();
        var live = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var i = 0; i < 3; i++)
            model.Call([Curve.Parse("0:0,1:1")], sample, text).Dispose();
        model.Call([0], sample, text).Dispose();
        Assert.Equal(live, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void Layers_that_are_computed_once_for_all_frames_are_refused()
    {
        using var scope = NewDisposeScope();
        using var _ = inference_mode();
        using var model = new Model(null, []);
        var width = model.UNet.get_parameter("time_embedding.linear_1.weight")!.shape;
        var weights = new LoraWeights("a.safetensors", LoraKind.Lora, new Dictionary<string, LoraLayer>
        {
            ["unet.time_embedding.linear_1"] = new(WeightTensor.Of(randn([2, width[1]])), WeightTensor.Of(randn([width[0], 2])), 1),
        });
        var error = Assert.Throws<RequestException>(() => model.Adapters.Start([(weights, Curve.Parse("0:0,1:1"))]));
        Assert.Contains("a.safetensors changes unet.time_embedding.linear_1, which is computed once for all frames", error.Message);
        model.Adapters.Start([(weights, Curve.Parse("0%:0,100%:1"))]);
    }

    private sealed class Model : IDisposable
    {
        private readonly nn.Module _text = TextEncoders.Nano();

        public UNetMotionModel UNet { get; }

        public RequestAdapters Adapters { get; }

        public LoraFiles[] Files { get; }

        public Model(string? motion, string[] files)
        {
            UNet = UNetTestModels.UNet(motion);
            Adapters = new RequestAdapters(UNet, _text);
            Files = [.. files.Select(file => LoraFiles.Open(Goldens.Model(file)))];
        }

        /// <summary>The UNet with the files' strengths.</summary>
        public Tensor Call(Curve[] scales, Tensor sample, Tensor embeddings, long[]? window = null)
        {
            Adapters.Start([.. Files.Zip(scales, (file, scale) => (file.Weights, scale))]);
            var frames = (int)(window?.Max() + 1 ?? sample.shape[2]);
            using var whole = Adapters.Prepare(embeddings, null, frames, perFrame: false);
            using var text = whole.Of(window, sample.shape[0], frames);
            UNet.InView.Show(sample.shape[0], sample.shape[2], window);
            using var timestep = tensor([500L]);
            return UNet.call(sample, timestep, text);
        }

        public void Dispose()
        {
            Adapters.Dispose();
            UNet.Dispose();
            _text.Dispose();
            foreach (var file in Files)
                file.Dispose();
        }
    }
}
