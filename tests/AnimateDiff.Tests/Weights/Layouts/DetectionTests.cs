using AnimateDiff.Lora;
using AnimateDiff.Weights;
using static AnimateDiff.Tests.Weights.Layouts.LayoutFixtures;

namespace AnimateDiff.Tests.Weights.Layouts;

public sealed class DetectionTests
{
    private static ModelKind Detect(IEnumerable<(string Name, long[] Shape)> tensors) => ModelDetection.Detect(Unread(tensors));

    [Theory]
    [InlineData("motion-v1.ckpt", MotionVersion.V1, 24, false)]
    [InlineData("motion-v2.safetensors", MotionVersion.V2, 32, true)]
    [InlineData("motion-v3.ckpt", MotionVersion.V3, 32, false)]
    public void Official_motion_modules_are_told_apart(string file, MotionVersion version, int frames, bool midBlock)
    {
        var kind = CheckpointInspector.KindOf(Goldens.Model(file));
        Assert.Equal(CheckpointKind.MotionModule, kind.Kind);
        Assert.Equal(CheckpointLayout.Official, kind.Layout);
        Assert.Equal(ModelFamily.StableDiffusion1, kind.Family);
        Assert.Equal((version, frames, midBlock, true), (kind.Motion!.Version, kind.Motion.MaxFrames, kind.Motion.MidBlock, kind.Motion.HasPositionEncoding));
        Assert.Equal(version == MotionVersion.V1, kind.Motion.ResnetNormAcrossFrames);
        Assert.Equal([32, 64, 64, 64], kind.BlockWidths);
        Assert.Empty(kind.Warnings);
    }

    [Theory]
    [InlineData("domain-adapter.ckpt", CheckpointKind.DomainAdapter, CheckpointLayout.Official, false)]
    [InlineData("motionlora-zoom-in.ckpt", CheckpointKind.MotionLora, CheckpointLayout.Official, true)]
    [InlineData("motionlora-pan-left.ckpt", CheckpointKind.MotionLora, CheckpointLayout.Official, true)]
    [InlineData("kohya-style.safetensors", CheckpointKind.Lora, CheckpointLayout.Kohya, false)]
    public void Loras_are_told_apart(string file, CheckpointKind expected, CheckpointLayout layout, bool midBlock)
    {
        var kind = CheckpointInspector.KindOf(Goldens.Model(file));
        Assert.Equal((expected, layout, midBlock), (kind.Kind, kind.Layout, kind.Lora!.MidBlock));
        Assert.Equal([4], kind.Lora.Ranks);
        Assert.Equal(layout == CheckpointLayout.Kohya, kind.Lora.HasAlpha);
        Assert.Equal(ModelFamily.StableDiffusion1, kind.Family);
    }

    [Fact]
    public void A_diffusers_folder_is_a_base_model_by_its_structure_not_by_its_widths()
    {
        var kind = CheckpointInspector.KindOf(Goldens.Model("nano-sd15"));
        Assert.Equal((CheckpointKind.BaseFolder, ModelFamily.StableDiffusion1, 48L), (kind.Kind, kind.Family, kind.CrossAttentionWidth));
        Assert.Equal([32, 64, 64, 64], kind.BlockWidths);
        Assert.Equal([ScalarType.Float16], kind.DTypes);
    }

    [Theory]
    [InlineData("nano-sd15/unet", CheckpointKind.UNet)]
    [InlineData("nano-sd15/vae", CheckpointKind.Vae)]
    [InlineData("nano-sd15/text_encoder", CheckpointKind.TextEncoder)]
    public void Parts_of_a_base_model_are_told_apart(string folder, CheckpointKind expected) => Assert.Equal(expected, CheckpointInspector.KindOf(Goldens.Model(folder)).Kind);

    [Theory]
    [InlineData("nano-sd15-single.safetensors", CheckpointKind.BaseFile, ModelFamily.StableDiffusion1, null)]
    [InlineData("nano-sd15-single.ckpt", CheckpointKind.BaseFile, ModelFamily.StableDiffusion1, null)]
    [InlineData("nano-sdxl", CheckpointKind.BaseFolder, ModelFamily.StableDiffusionXL, null)]
    [InlineData("motion-v1-diffusers", CheckpointKind.MotionModule, ModelFamily.StableDiffusion1, MotionVersion.V1)]
    [InlineData("motion-v2-diffusers", CheckpointKind.MotionModule, ModelFamily.StableDiffusion1, MotionVersion.V2)]
    [InlineData("motion-v3-diffusers", CheckpointKind.MotionModule, ModelFamily.StableDiffusion1, MotionVersion.V3)]
    [InlineData("motion-pia", CheckpointKind.MotionModule, ModelFamily.StableDiffusion1, MotionVersion.Pia)]
    [InlineData("motion-sdxl.ckpt", CheckpointKind.MotionModule, ModelFamily.StableDiffusionXL, MotionVersion.Sdxl)]
    [InlineData("motion-sdxl-diffusers", CheckpointKind.MotionModule, ModelFamily.StableDiffusionXL, MotionVersion.Sdxl)]
    [InlineData("controlnet", CheckpointKind.ControlNet, ModelFamily.StableDiffusion1, null)]
    [InlineData("sparsectrl-rgb", CheckpointKind.SparseControlNet, ModelFamily.StableDiffusion1, null)]
    [InlineData("sparsectrl-scribble", CheckpointKind.SparseControlNet, ModelFamily.StableDiffusion1, null)]
    [InlineData("ip-adapter/ip-adapter.safetensors", CheckpointKind.IPAdapter, ModelFamily.StableDiffusion1, null)]
    [InlineData("ip-adapter/image_encoder", CheckpointKind.ImageEncoder, ModelFamily.Unknown, null)]
    [InlineData("clip-score", CheckpointKind.Clip, ModelFamily.Unknown, null)]
    [InlineData("tune-a-video-temporal.safetensors", CheckpointKind.TuneAVideo, ModelFamily.Unknown, null)]
    public void Every_model_of_the_full_reference_set_is_known(string model, CheckpointKind expected, ModelFamily family, MotionVersion? version)
    {
        Assert.SkipWhen(Goldens.Shared is null, "The full reference set is not beside the repository (ANIMATEDIFF_GOLDENS).");
        var kind = CheckpointInspector.KindOf(Goldens.Model(model));
        Assert.Equal((expected, family, version), (kind.Kind, kind.Family, kind.Motion?.Version));
    }

    [Theory]
    [InlineData(false, 24, MotionVersion.V1, 24, true, "linear", 0.012)]
    [InlineData(true, 32, MotionVersion.V2, 32, false, "linear", 0.012)]
    [InlineData(false, 32, MotionVersion.V3, 32, false, "linear", 0.012)]
    [InlineData(true, null, MotionVersion.AnimateLcm, 64, false, "linear", 0.012)]
    [InlineData(false, null, MotionVersion.V3, 32, false, "linear", 0.012)]
    public void Real_size_modules_of_SD15_get_their_versions_traits(bool midBlock, int? rows, MotionVersion version, int frames, bool normAcrossFrames, string schedule, double betaEnd)
    {
        var kind = Detect(RealSizes.OfficialMotion(RealSizes.Sd15, midBlock, rows));
        Assert.Equal(new MotionTraits(version, frames, rows is not null, midBlock, normAcrossFrames, schedule, betaEnd, null), kind.Motion);
        Assert.Equal(RealSizes.Sd15, kind.BlockWidths);
        Assert.Equal(rows is null, kind.Warnings.Count == 1);
    }

    [Fact]
    public void Parameter_counts_are_those_of_the_published_files()
    {
        // 417 million (v1, v3) and 453 million (v2), as the official README says.
        Assert.Equal(417, Math.Round(Detect(RealSizes.OfficialMotion(RealSizes.Sd15, midBlock: false, rows: null)).ParameterCount / 1e6));
        Assert.Equal(453, Math.Round(Detect(RealSizes.OfficialMotion(RealSizes.Sd15, midBlock: true, rows: null)).ParameterCount / 1e6));
        Assert.Equal(302_080 * 64, Detect(RealSizes.MotionLora(RealSizes.Sd15, midBlock: true)).ParameterCount);
    }

    [Fact]
    public void A_module_without_position_encoding_says_what_it_was_taken_for()
    {
        var kind = Detect(RealSizes.OfficialMotion(RealSizes.Sd15, midBlock: false, rows: null));
        Assert.Contains("no pos_encoder.pe", Assert.Single(kind.Warnings));
        Assert.Contains("taken for v3", kind.Warnings[0]);
    }

    [Fact]
    public void An_SDXL_module_has_three_blocks_and_its_own_schedule()
    {
        var kind = Detect(RealSizes.OfficialMotion(RealSizes.Sdxl, midBlock: false, rows: 32));
        Assert.Equal((ModelFamily.StableDiffusionXL, MotionVersion.Sdxl, "scaled_linear", 0.020), (kind.Family, kind.Motion!.Version, kind.Motion.BetaSchedule, kind.Motion.BetaEnd));
    }

    [Theory]
    [InlineData("module.")]
    [InlineData("state_dict.")]
    [InlineData("state_dict.module.")]
    public void Wrappers_of_training_scripts_change_nothing(string prefix)
    {
        var bare = Detect(RealSizes.OfficialMotion(RealSizes.Sd15, midBlock: true, rows: 32));
        var wrapped = Detect(RealSizes.OfficialMotion(RealSizes.Sd15, midBlock: true, rows: 32, prefix));
        Assert.Equal(bare.Sentence, wrapped.Sentence);
    }

    [Fact]
    public void The_official_trainings_whole_UNet_is_known_by_its_image_layers()
    {
        var unet = RealSizes.UNet(RealSizes.Sd15, [true, true, true, false], [1, 1, 1, 1], 768, linear: false, added: false);
        var kind = Detect([.. unet, .. RealSizes.OfficialMotion(RealSizes.Sd15, midBlock: false, rows: 24)]);
        Assert.Equal((CheckpointKind.MotionUNet, MotionVersion.V1), (kind.Kind, kind.Motion!.Version));
    }

    [Fact]
    public void HotShot_and_PIA_are_known_by_the_tensors_only_they_have()
    {
        Assert.Equal(MotionVersion.HotShotXL, Detect(
        [
            ("down_blocks.0.temporal_attentions.0.proj_in.weight", [320, 320]),
            ("down_blocks.0.temporal_attentions.0.transformer_blocks.0.attn1.pos_encoder.positional_encoding", [1, 24, 320]),
        ]).Motion!.Version);
        var pia = Detect([("conv_in.weight", [320, 9, 3, 3]), .. RealSizes.OfficialMotion(RealSizes.Sd15, midBlock: false, rows: 32)]).Motion!;
        Assert.Equal((MotionVersion.Pia, 9), (pia.Version, pia.ConvInChannels));
    }

    [Theory]
    [InlineData("SD1.5", false, false, 768)]
    [InlineData("SD2", true, false, 1024)]
    public void UNets_with_four_blocks_are_told_apart_by_their_projections(string name, bool linear, bool added, long text)
    {
        var kind = Detect(RealSizes.UNet(RealSizes.Sd15, [true, true, true, false], [1, 1, 1, 1], text, linear, added));
        Assert.Equal(CheckpointKind.UNet, kind.Kind);
        Assert.StartsWith($"An {name} UNet", kind.Sentence);
        Assert.Equal(text, kind.CrossAttentionWidth);
    }

    [Fact]
    public void An_SDXL_UNet_is_known_by_its_three_blocks()
        => Assert.Equal(ModelFamily.StableDiffusionXL, Detect(RealSizes.UNet(RealSizes.Sdxl, [false, true, true], [1, 2, 10], 2048, linear: true, added: true)).Family);

    [Fact]
    public void Loras_of_every_trainer_are_known_with_their_base_model()
    {
        static IEnumerable<(string, long[])> Pairs(IEnumerable<(string Module, long In, long Out)> modules, Func<string, string> name, string down, string up)
            => modules.SelectMany(module => new (string, long[])[] { (name(module.Module) + down, [16, module.In]), (name(module.Module) + up, [module.Out, 16]) });

        var peft = Detect(Pairs(RealSizes.Sd15Attentions, module => "base_model.model." + module, ".lora_A.weight", ".lora_B.weight"));
        Assert.Equal((CheckpointKind.Lora, CheckpointLayout.Peft, ModelFamily.StableDiffusion1, 768L), (peft.Kind, peft.Layout, peft.Family, peft.CrossAttentionWidth));
        var diffusers = Detect(Pairs(RealSizes.SdxlAttentions, module => "unet." + module, ".lora.down.weight", ".lora.up.weight"));
        Assert.Equal((CheckpointKind.Lora, CheckpointLayout.Diffusers, ModelFamily.StableDiffusionXL), (diffusers.Kind, diffusers.Layout, diffusers.Family));
        var kohya = Detect(Pairs(RealSizes.Sd15Attentions, module => "lora_unet_" + module.Replace('.', '_'), ".lora_down.weight", ".lora_up.weight"));
        Assert.Equal((CheckpointKind.Lora, CheckpointLayout.Kohya, ModelFamily.StableDiffusion1), (kohya.Kind, kohya.Layout, kohya.Family));
        Assert.Equal([320, 640, 1280], kohya.BlockWidths);
        var motion = Detect(RealSizes.MotionLora(RealSizes.Sdxl, midBlock: false));
        Assert.Equal((CheckpointKind.MotionLora, ModelFamily.StableDiffusionXL), (motion.Kind, motion.Family));
        Assert.Equal(LoraKind.MotionLora, motion.Lora!.Kind);
    }

    [Fact]
    public void Other_kinds_are_named_rather_than_called_unknown()
    {
        Assert.Equal(CheckpointKind.TextualInversion, Detect([("emb_params", [4, 768])]).Kind);
        Assert.Equal(CheckpointKind.TextualInversion, Detect([("<cat-toy>", [768])]).Kind);
        Assert.Equal(ModelFamily.StableDiffusionXL, Detect([("clip_l", [4, 768]), ("clip_g", [4, 1280])]).Family);
        Assert.Equal(CheckpointKind.ControlNet, Detect([("control_model.input_blocks.0.0.weight", [320, 4, 3, 3])]).Kind);
        Assert.Equal(CheckpointKind.Vae, Detect([("encoder.conv_in.weight", [128, 3, 3, 3]), ("decoder.conv_in.weight", [512, 4, 3, 3]), ("decoder.up.0.block.0.conv1.weight", [128, 256, 3, 3])]).Kind);
        Assert.Equal(CheckpointKind.Unknown, Detect([("layers.0.weight", [4, 4])]).Kind);
        var lycoris = Detect([("lora_unet_mid_block_attentions_0_proj_in.hada_w1_a", [4, 4])]);
        Assert.Equal(CheckpointKind.Lora, lycoris.Kind);
        Assert.Contains("cannot be loaded", Assert.Single(lycoris.Warnings));
    }

    [Fact]
    public void Tensors_of_impossible_shapes_never_crash_the_detection()
    {
        IEnumerable<(string Name, long[] Shape)>[] all =
        [
            RealSizes.OfficialMotion(RealSizes.Sd15, midBlock: true, rows: 32), RealSizes.MotionLora(RealSizes.Sd15, midBlock: true),
            RealSizes.UNet(RealSizes.Sdxl, [false, true, true], [1, 2, 10], 2048, linear: true, added: true),
            [("image_proj.norm.weight", []), ("ip_adapter.1.to_k_ip.weight", [])], [("emb_params", [])], [("conv_in.weight", []), ("down_blocks.0.motion_modules.0.proj_in.weight", [])],
        ];
        foreach (var tensors in all)
            Assert.NotEmpty(Detect(tensors.Select(tensor => (tensor.Name, Array.Empty<long>()))).Sentence);
    }
}
