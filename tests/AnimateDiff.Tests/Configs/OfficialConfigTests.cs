using AnimateDiff.Configs;
using AnimateDiff.Tests.Hub;

namespace AnimateDiff.Tests.Configs;

public sealed class OfficialConfigTests : IDisposable
{
    private const string Everything = """
        # first entry
        - dreambooth_path: "models/DreamBooth_LoRA/person.safetensors"
          lora_model_path: "models/DreamBooth_LoRA/cat.safetensors"
          lora_alpha: 0.6
          adapter_lora_path: "models/Motion_Module/v3_sd15_adapter.ckpt"
          adapter_lora_scale: 0.5

          inference_config: "configs/inference/v3.yaml"
          motion_module: "models/Motion_Module/v3_sd15_mm.ckpt"
          motion_module_lora_configs:
            - path:  "models/MotionLoRA/v2_lora_ZoomIn.ckpt"
              alpha: 1.0
            - { path: "b.ckpt", alpha: 0.25 }

          controlnet_path: "models/SparseCtrl/v3_sd15_sparsectrl_rgb.ckpt"
          controlnet_config: "configs/inference/sparse.yaml"
          controlnet_image_indexs: [0, -1]
          controlnet_images:
            - "first.png"
            - "last.png"
          normalize_condition_images: true

          W: 384
          H: 256
          L: 24
          seed: [8893659352891878017, 18446744073709551615]
          steps: 30
          guidance_scale: 8.5
          prompt:
            - "a sailboat, 8k: high quality"
            - plain text
          n_prompt:
            - "worst quality"

        - motion_module: "mm.ckpt"
          dreambooth_path: ""
          seed: -1
          steps: 25
          guidance_scale: 7
          prompt: ["one"]
          n_prompt: [""]
        """;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_official_key_is_read()
    {
        var runs = Load(Everything);
        Assert.Equal(2, runs.Count);
        var run = runs[0];
        Assert.Equal("models/DreamBooth_LoRA/person.safetensors", run.Checkpoint);
        Assert.Equal(new OfficialLora("models/DreamBooth_LoRA/cat.safetensors", 0.6), run.ImageLora);
        Assert.Equal(new OfficialLora("models/Motion_Module/v3_sd15_adapter.ckpt", 0.5), run.DomainAdapter);
        Assert.Equal("models/Motion_Module/v3_sd15_mm.ckpt", run.MotionModule);
        Assert.Equal([new("models/MotionLoRA/v2_lora_ZoomIn.ckpt", 1), new("b.ckpt", 0.25)], run.MotionLoras);
        Assert.Equal((384, 256, 24, 30, 8.5), (run.Width, run.Height, run.Frames, run.Steps, run.GuidanceScale));
        Assert.Equal([new("a sailboat, 8k: high quality", "worst quality", 8893659352891878017), new("plain text", "worst quality", ulong.MaxValue)], run.Clips);
        Assert.Null(run.Inference);
        var sparse = run.SparseControl!;
        Assert.Equal(("models/SparseCtrl/v3_sd15_sparsectrl_rgb.ckpt", true), (sparse.Path, sparse.NormalizeImages));
        Assert.Equal(["first.png", "last.png"], sparse.Images);
        Assert.Equal([0, -1], sparse.Frames);
        Assert.Null(sparse.Config);
    }

    [Fact]
    public void What_is_not_given_has_the_official_scripts_defaults()
    {
        var run = Load(Everything)[1];
        Assert.Null(run.Checkpoint);
        Assert.Null(run.ImageLora);
        Assert.Null(run.DomainAdapter);
        Assert.Null(run.SparseControl);
        Assert.Empty(run.MotionLoras);
        Assert.Equal((null, null, null), (run.Width, run.Height, run.Frames));
        Assert.Equal([new("one", "", null)], run.Clips);
        var lean = Load("- {prompt: one, lora_model_path: a.safetensors, adapter_lora_path: b.ckpt}")[0];
        Assert.Equal((0.8, 1.0), (lean.ImageLora!.Scale, lean.DomainAdapter!.Scale));
    }

    [Theory]
    [InlineData("-1", null)]
    [InlineData("0", 0UL)]
    [InlineData("18446744073709551615", ulong.MaxValue)]
    [InlineData("-2", ulong.MaxValue - 1)]
    [InlineData("[-1]", null)]
    public void Seeds_are_read_as_torch_takes_them(string yaml, ulong? seed) => Assert.Equal(seed, Load($"- {{prompt: one, seed: {yaml}}}")[0].Clips[0].Seed);

    [Fact]
    public void A_prompt_may_change_from_frame_to_frame()
    {
        var clips = Load("- prompt: [{ 8: 'b: c', 0: a }, plain]")[0].Clips;
        Assert.Equal(["a", "plain"], clips.Select(clip => clip.Prompt));
        Assert.Equal([new PromptAt(8, "b: c")], clips[0].PromptsAt);
        Assert.Empty(clips[1].PromptsAt);
    }

    [Theory]
    [InlineData("- prompt: [{ 1: a }]", "line 1: prompt has texts by frame and none at 0")]
    [InlineData("- prompt: [{ 0: a, last: b }]", "line 1: prompt has a text at “last”, expected the number of a frame")]
    public void A_prompt_that_changes_begins_at_frame_0(string yaml, string message) => Assert.Contains(message, Assert.Throws<RequestException>(() => Load(yaml)).Message);

    [Theory]
    [InlineData("- prompt: [one]\n  guidance: 8", "prompts.yaml, line 2: unknown key guidance; expected one of")]
    [InlineData("- prompt: [one]\n  motion_modul: a.ckpt", "line 2: unknown key motion_modul (did you mean motion_module?)")]
    [InlineData("- prompt: [one]\n  w: 512", "unknown key w (did you mean W?)")]
    [InlineData("- prompt: [one]\n  steps: many", "line 2: steps is “many”, expected a whole number")]
    [InlineData("- prompt: [one]\n  steps: \"25\"", "steps is “25”, expected a whole number")]
    [InlineData("- prompt: [one]\n  steps: 0", "steps is “0”, expected a whole number of at least 1")]
    [InlineData("- prompt: [one]\n  guidance_scale: [8]", "guidance_scale is a list, expected a number")]
    [InlineData("- prompt: [one]\n  seed: 18446744073709551616", "line 2: seed: 18446744073709551616 is out of range")]
    [InlineData("- prompt: [one]\n  seed: 1.5", "seed is “1.5”, expected a whole number")]
    [InlineData("- prompt: [one, two]\n  seed: [1, 2, 3]", "seed: 3 for 2 prompts, expected one for all or one for each")]
    [InlineData("- prompt: [one, two]\n  n_prompt: [a, b, c]", "n_prompt: 3 for 2 prompts")]
    [InlineData("- steps: 25", "prompt: missing, expected a list of prompts")]
    [InlineData("- prompt: [[one]]", "prompt is a list, expected text")]
    [InlineData("- prompt: [one]\n  motion_module_lora_configs:\n    - path: a.ckpt", "line 3: alpha: missing")]
    [InlineData("- prompt: [one]\n  motion_module_lora_configs:\n    - {path: a.ckpt, alpha: 1, alhpa: 2}", "unknown key alhpa (did you mean alpha?)")]
    [InlineData("- prompt: [one]\n  motion_module_lora_configs: a.ckpt", "motion_module_lora_configs is “a.ckpt”, expected a list")]
    [InlineData("- prompt: [one]\n  controlnet_path: a.ckpt", "controlnet_images: missing")]
    [InlineData("- prompt: [one]\n  controlnet_path: a.ckpt\n  controlnet_images: a.png\n  controlnet_image_indexs: [0, 1]", "line 4: controlnet_image_indexs: 2 frames for 1 images")]
    [InlineData("- prompt: [one]\n  normalize_condition_images: 3", "normalize_condition_images is “3”, expected true or false")]
    [InlineData("- just text", "line 1: an entry is “just text”, expected keys and values")]
    [InlineData("prompt: [one]", "line 1: expected a list of entries")]
    public void Mistakes_are_named_with_file_line_and_key(string yaml, string message) => Assert.Contains(message, Assert.Throws<RequestException>(() => Load(yaml)).Message);

    [Theory]
    [InlineData("- prompt: [one\n- steps", "after line 1: a bracket or brace is not closed")]
    [InlineData("- steps: 1\n  steps: 2", "steps")]
    [InlineData("", "0 YAML documents")]
    public void What_is_no_yaml_is_a_damaged_file(string yaml, string message) => Assert.Contains(message, Assert.Throws<FileException>(() => Load(yaml)).Message);

    [Fact]
    public void A_file_that_is_not_there_is_said_to_be_missing() =>
        Assert.Contains("does not exist", Assert.Throws<FileException>(() => OfficialConfig.Load(Path.Combine(_folder.Path, "none.yaml"))).Message);

    [Fact]
    public void Paths_lead_from_the_current_folder_then_from_the_files_own_folders_upwards()
    {
        using var current = new TempFolder();
        var both = current.Write("models/both.ckpt", "");
        _folder.Write("repo/models/both.ckpt", "");
        var above = _folder.Write("repo/models/above.ckpt", "");
        var config = _folder.Write("repo/configs/prompts/a.yaml", "- {prompt: one, motion_module: models/both.ckpt, dreambooth_path: models/above.ckpt, lora_model_path: models/none.ckpt}");
        var run = OfficialConfig.Load(config, current.Path)[0];
        Assert.Equal((both, above, "models/none.ckpt"), (run.MotionModule, run.Checkpoint, run.ImageLora!.Path));
    }

    [Fact]
    public void An_inference_configuration_beside_the_prompts_is_read()
    {
        _folder.Write("configs/inference/v3.yaml", """
            unet_additional_kwargs:
              use_inflated_groupnorm: true
              use_motion_module: true
              motion_module_resolutions: [1,2,4,8]
              motion_module_mid_block: false
              motion_module_type: "Vanilla"
              motion_module_kwargs:
                num_attention_heads: 8
                num_transformer_block: 1
                attention_block_types: [ "Temporal_Self", "Temporal_Self" ]
                temporal_position_encoding: true
                temporal_position_encoding_max_len: 32
                temporal_attention_dim_div: 1
                zero_initialize: true
            noise_scheduler_kwargs:
              beta_start: 0.00085
              beta_end: 0.012
              beta_schedule: "linear"
              steps_offset: 1
              clip_sample: false
            """);
        _folder.Write("configs/inference/sparse.yaml", """
            controlnet_additional_kwargs:
              set_noisy_sample_input_to_zero: true
              use_simplified_condition_embedding: false
              conditioning_channels: 3
              use_motion_module: true
              motion_module_kwargs:
                attention_block_types: [ "Temporal_Self" ]
            """);
        var run = Load(Everything)[0];
        var inference = run.Inference!;
        Assert.Equal((true, 0.00085, 0.012, "linear", 1, false),
            (inference.UseInflatedGroupNorm, inference.BetaStart, inference.BetaEnd, inference.BetaSchedule, inference.StepsOffset, inference.ClipSample));
        Assert.Null(inference.SetAlphaToOne);
        var motion = inference.Motion;
        Assert.Equal((true, false, 8, 1, 2, true, 32),
            (motion.Use, motion.MidBlock, motion.Heads, motion.TransformerBlocks, motion.AttentionBlocks, motion.PositionEncoding, motion.PositionEncodingLength));
        Assert.Equal([1, 2, 4, 8], motion.Resolutions);
        var sparse = run.SparseControl!.Config!;
        Assert.Equal((true, false, 3, 1), (sparse.ZeroNoisySample, sparse.LatentCondition, sparse.ConditionChannels, sparse.Motion.AttentionBlocks));
    }

    [Theory]
    [InlineData("noise_scheduler_kwargs: {beta_schedule: linaer}", "beta_schedule: “linaer” is not supported, expected linear or scaled_linear or squaredcos_cap_v2 (did you mean linear?)")]
    [InlineData("noise_scheduler_kwargs: {beta_stop: 1}", "unknown key beta_stop")]
    [InlineData("unet_additional_kwargs: {motion_module_type: Vanila}", "“Vanila” is not supported, expected Vanilla")]
    [InlineData("unet_additional_kwargs: {motion_module_kwargs: {attention_block_types: [Spatial]}}", "“Spatial” is not supported")]
    [InlineData("unet_additional_kwargs: {motion_module_kwargs: {heads: 8}}", "unknown key heads")]
    [InlineData("unet_additional_kwargs: {unet_use_temporal_attention: true}", "expected false")]
    [InlineData("unet: {}", "unknown key unet")]
    public void An_inference_configuration_with_a_mistake_is_refused(string yaml, string message) =>
        Assert.Contains(message, Assert.Throws<RequestException>(() => OfficialInference.Load(_folder.Write("inference.yaml", yaml))).Message);

    [Fact]
    public void Missing_official_files_are_known_on_the_hub()
    {
        Assert.Equal("guoyww/animatediff:v3_sd15_mm.ckpt", OfficialConfig.OnHub("models/Motion_Module/v3_sd15_mm.ckpt"));
        Assert.Equal("guoyww/animatediff_t2i_backups:TUSUN.safetensors", OfficialConfig.OnHub("models/DreamBooth_LoRA/TUSUN.safetensors"));
        Assert.Null(OfficialConfig.OnHub("models/my.safetensors"));
        Assert.Equal("my/base", OfficialConfig.Base("my/base"));
    }

    private IReadOnlyList<OfficialRun> Load(string yaml) => OfficialConfig.Load(_folder.Write("prompts.yaml", yaml), _folder.Path);
}
