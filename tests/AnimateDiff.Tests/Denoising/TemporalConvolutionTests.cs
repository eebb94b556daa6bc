using AnimateDiff.Denoising;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Denoising;

/// <summary>Motion modules that convolve along the frames: what they compute, and that their files are told from those with attention.</summary>
public sealed class TemporalConvolutionTests
{
    private static readonly UNetConfig UNet = new()
    {
        BlockOutChannels = [16, 32],
        DownBlockTypes = ["CrossAttnDownBlock2D", "DownBlock2D"],
        UpBlockTypes = ["UpBlock2D", "CrossAttnUpBlock2D"],
        CrossAttentionDim = 16,
        AttentionHeadDim = 2,
        NormNumGroups = 4,
    };

    private static readonly MotionConfig Convolution = new()
    {
        BlockOutChannels = [16, 32],
        MotionNumAttentionHeads = 2,
        MotionNormNumGroups = 4,
        Temporal = "conv1d",
    };

    [Fact]
    public void Frames_are_convolved_place_by_place_and_clip_by_clip()
    {
        using var scope = NewDisposeScope();
        using var conv = nn.Conv1d(8, 8, 3, padding: 1);
        var tokens = randn([2, 5, 6, 8], generator: Random(1));                                              // [B, F, H·W, C]
        var expected = conv.call(tokens.permute(0, 2, 3, 1).flatten(0, 1)).view(2, 6, 8, 5).permute(0, 3, 1, 2);
        Assert.InRange(Goldens.Difference(TemporalConvolutionBlock.AlongFrames(conv, tokens), expected), 0, 1e-6);
    }

    [Fact]
    public void It_has_as_many_parameters_as_attention()
    {
        using var convolution = new UNetMotionModel(UNet, Convolution, META);
        using var attention = new UNetMotionModel(UNet, Convolution with { Temporal = "attention" }, META);
        Assert.Equal(attention.parameters().Sum(parameter => parameter.numel()), convolution.parameters().Sum(parameter => parameter.numel()));
    }

    [Theory]
    [InlineData("attention")]
    [InlineData("conv1d")]
    public void A_new_module_changes_nothing_and_a_trained_one_does(string temporal)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var still = new UNetMotionModel(UNet, null, META);
        using var moving = new UNetMotionModel(UNet, Convolution with { Temporal = temporal }, META);
        ModuleWeights.Initialise(still, null, seed: 5);
        ModuleWeights.Initialise(moving, name => !UNetMotionModel.IsMotion(name), seed: 5);
        moving.InitialiseMotion(seed: 6);
        Assert.Equal(0.0, Goldens.Difference(Predict(moving), Predict(still)));
        ModuleWeights.Initialise(moving, UNetMotionModel.IsMotion, seed: 6);
        Assert.InRange(Goldens.Difference(Predict(moving), Predict(still)), 1e-3, 10);
    }

    [Fact]
    public void A_saved_module_is_recognised_and_loads_to_the_same()
    {
        using var folder = new TempFolder();
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var made = new UNetMotionModel(UNet, Convolution, META);
        ModuleWeights.Initialise(made, null, seed: 2);
        Write(made, folder.Path);

        using var files = MotionFiles.Open(folder.Path);
        Assert.Equal(Convolution.Temporal, files.Traits.Temporal);
        Assert.Contains("convolution along the frames instead of attention", CheckpointInspector.Inspect(folder.Path).Kind.Sentence);
        using var loaded = new UNetMotionModel(UNet, MotionConfig.Parse(files.Config, files.Path), META);
        ModuleWeights.Initialise(loaded, name => !UNetMotionModel.IsMotion(name), seed: 3);
        ModuleWeights.Load(loaded, files.Weights, "motion module", part: UNetMotionModel.IsMotion);
        ModuleWeights.Initialise(made, name => !UNetMotionModel.IsMotion(name), seed: 3);
        Assert.Equal(0.0, Goldens.Difference(Predict(loaded), Predict(made)));
    }

    [Fact]
    public void What_is_made_for_attention_is_refused_with_the_reason()
    {
        using var folder = new TempFolder();
        using var made = new UNetMotionModel(UNet, Convolution, META);
        ModuleWeights.Initialise(made, UNetMotionModel.IsMotion, seed: 2);
        Write(made, folder.Path);
        var module = CheckpointInspector.KindOf(folder.Path);
        var lora = CheckpointInspector.KindOf(Goldens.Model("motionlora-zoom-in.ckpt"));
        var error = Assert.Throws<FileException>(() => ModelPairing.CheckMotionLora("x", lora with { BlockWidths = module.BlockWidths }, module, force: true));
        Assert.Contains("convolutions in its place", error.Message);
        Assert.Throws<RequestException>(() => CheckpointConverter.Convert(folder.Path, Path.Combine(folder.Path, "x.safetensors"), ConversionTarget.Official));
    }

    [Fact]
    public void Configurations_say_it_and_an_unknown_word_is_refused()
    {
        Assert.Equal("attention", MotionConfig.Parse("{}", "x").Temporal);
        Assert.DoesNotContain("temporal", ModelConfigs.Text(ModelConfigs.Motion(new MotionConfig())));
        Assert.Equal("conv1d", MotionConfig.Parse(ModelConfigs.Text(ModelConfigs.Motion(Convolution)), "x").Temporal);
        Assert.Contains("attention or conv1d", Assert.Throws<RequestException>(() => MotionConfig.Parse("""{ "temporal": "conv3d" }""", "x")).Message);
    }

    private static void Write(UNetMotionModel model, string folder)
    {
        var tensors = model.state_dict().Where(entry => UNetMotionModel.IsMotion(entry.Key))
            .ToDictionary(entry => entry.Key, entry => new WeightTensor(entry.Value.dtype, entry.Value.shape, () => entry.Value.clone()));
        SafetensorsWriter.Write(Path.Combine(folder, "diffusion_pytorch_model.safetensors"), new StateDict("new", tensors));
        File.WriteAllText(Path.Combine(folder, "config.json"), ModelConfigs.Text(ModelConfigs.Motion(model.Motion!)));
    }

    private static Generator Random(int seed) => new((ulong)seed, CPU);

    private static Tensor Predict(UNetMotionModel model)
        => model.Predict(randn([2, 4, 3, 6, 6], generator: Random(7)), tensor([10f, 700f]), randn([2, 5, 16], generator: Random(8)));
}
