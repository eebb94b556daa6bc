using System.Text.Json.Nodes;
using AnimateDiff.Vae;
using AnimateDiff.Weights;
using AnimateDiff.Weights.Layouts;
using static AnimateDiff.Tests.Weights.Layouts.LayoutFixtures;

namespace AnimateDiff.Tests.Weights.Layouts;

public sealed class ModelFilesTests
{
    [Fact]
    public void A_folder_gives_its_parts_its_configurations_and_the_files_it_consists_of()
    {
        var folder = Goldens.Model("nano-sd15");
        using var files = BaseModelFiles.Open(folder);
        Assert.Equal(684, files.UNet.Count);
        Assert.Equal(File.ReadAllText(Path.Combine(folder, "unet", "config.json")), files.UNetConfig);
        Assert.Contains("PNDMScheduler", files.SchedulerConfig);
        Assert.Equal(3, files.Files.Count);
        Assert.All(files.Files, file => Assert.True(File.Exists(file)));
    }

    [Fact]
    public void A_bare_single_file_gives_the_folders_bits_and_every_configured_value_that_shapes_can_say()
    {
        using var scratch = new Scratch();
        using var folder = BaseModelFiles.Open(Goldens.Model("nano-sd15"));
        // Without the metadata that our own converter adds: what people download has none.
        SafetensorsWriter.Write(scratch["bare.safetensors"], CompVisLayout.FromDiffusers("x", new(folder.UNet, folder.Vae, folder.TextEncoder, null)));
        using var single = BaseModelFiles.Open(scratch["bare.safetensors"]);

        Assert.Equal(Lines(folder.UNet), Lines(single.UNet));
        Assert.Equal(Lines(folder.Vae), Lines(single.Vae));
        Assert.Equal(Lines(folder.TextEncoder), Lines(single.TextEncoder));
        Assert.Equal(folder.Kind.ParameterCount, single.Kind.ParameterCount);
        AssertDerived(folder.UNetConfig, single.UNetConfig, "sample_size");
        AssertDerived(folder.VaeConfig, single.VaeConfig, "sample_size");
        AssertDerived(folder.TextEncoderConfig, single.TextEncoderConfig, "projection_dim");
        Assert.Null(single.TokenizerFolder);
    }

    [Fact]
    public void Ema_weights_and_schedule_buffers_of_a_training_checkpoint_are_left_out()
    {
        using var scratch = new Scratch();
        using var folder = BaseModelFiles.Open(Goldens.Model("nano-sd15"));
        var single = CompVisLayout.FromDiffusers("x", new(folder.UNet, folder.Vae, folder.TextEncoder, null));
        var ballast = Numbered([("model_ema.diffusion_modelinput_blocks00weight", [2, 2]), ("betas", [1000]), ("cond_stage_model.logit_scale", []),
            ("cond_stage_model.transformer.text_model.embeddings.position_ids", [1, 77]), ("first_stage_model.loss.logvar", [])], ScalarType.Float32);
        SafetensorsWriter.Write(scratch["full.safetensors"], single.Concat(ballast));
        using var read = BaseModelFiles.Open(scratch["full.safetensors"]);
        Assert.Equal((folder.UNet.Count, folder.Vae.Count, folder.TextEncoder.Count), (read.UNet.Count, read.Vae.Count, read.TextEncoder.Count));
    }

    [Fact]
    public void A_single_file_without_a_part_says_which()
    {
        using var scratch = new Scratch();
        using var folder = BaseModelFiles.Open(Goldens.Model("nano-sd15"));
        SafetensorsWriter.Write(scratch["pruned.safetensors"], CompVisLayout.FromDiffusers("x", new(folder.UNet, null, folder.TextEncoder, null)));
        Assert.Contains("without its VAE (first_stage_model.*)", Assert.Throws<FileException>(() => BaseModelFiles.Open(scratch["pruned.safetensors"])).Message);
    }

    [Fact]
    public void An_official_module_gives_diffusers_names_with_one_position_encoding_per_block_and_a_configuration()
    {
        using var motion = MotionFiles.Open(Goldens.Model("motion-v2.safetensors"));
        Assert.Equal(MotionVersion.V2, motion.Traits.Version);
        Assert.Equal(567, motion.Weights.Count);
        Assert.Equal(21, motion.Weights.Keys.Count(name => name.EndsWith(".transformer_blocks.0.pos_embed.pe")));
        var config = JsonNode.Parse(motion.Config)!;
        Assert.Equal(32, config["motion_max_seq_length"]!.GetValue<int>());
        Assert.True(config["use_motion_mid_block"]!.GetValue<bool>());
        Assert.Equal("[32,64,64,64]", config["block_out_channels"]!.ToJsonString());
    }

    [Fact]
    public void A_given_version_settles_what_the_tensors_leave_open()
    {
        using var scratch = new Scratch();
        using var v1 = ModelFolder.Open(Goldens.Model("motion-v1.ckpt"));
        SafetensorsWriter.Write(scratch["trained.safetensors"], Wrappers.Strip(v1).Select(name => name.EndsWith(".pe") ? null : "module." + name));
        using var assumed = MotionFiles.Open(scratch["trained.safetensors"]);
        Assert.Equal((MotionVersion.V3, 32, false), (assumed.Traits.Version, assumed.Traits.MaxFrames, assumed.Traits.HasPositionEncoding));
        Assert.Single(assumed.Kind.Warnings);
        using var told = MotionFiles.Open(scratch["trained.safetensors"], MotionVersion.V1);
        Assert.Equal((MotionVersion.V1, 24, true), (told.Traits.Version, told.Traits.MaxFrames, told.Traits.ResnetNormAcrossFrames));
        Assert.Empty(told.Kind.Warnings);
    }

    [Fact]
    public void Only_the_motion_modules_of_a_whole_trained_UNet_are_taken()
    {
        using var scratch = new Scratch();
        using var unet = ModelFolder.Open(Goldens.Model("nano-sd15/unet"));
        using var v3 = ModelFolder.Open(Goldens.Model("motion-v3.ckpt"));
        SafetensorsWriter.Write(scratch["whole.safetensors"], unet.Concat(v3).Select(entry => KeyValuePair.Create("module." + entry.Key, entry.Value)));
        using var whole = MotionFiles.Open(scratch["whole.safetensors"]);
        using var alone = MotionFiles.Open(Goldens.Model("motion-v3.ckpt"));
        Assert.Equal(Lines(alone.Weights), Lines(whole.Weights));
    }

    [Fact]
    public void A_vae_comes_from_its_folder_or_from_a_training_file()
    {
        using var scratch = new TempFolder();
        var folder = Path.Combine(Goldens.Model("nano-sd15"), "vae");
        using var own = VaeFiles.Open(folder);
        var training = CompVisVaeLayout.FromDiffusers(own.Weights).Append(KeyValuePair.Create("loss.logvar", WeightTensor.Of(zeros(1)))).Append(KeyValuePair.Create("model_ema.decay", WeightTensor.Of(ones(1))));
        SafetensorsWriter.Write(scratch["vae.safetensors"], training);
        using var single = VaeFiles.Open(scratch["vae.safetensors"]);
        Assert.Equal(Lines(own.Weights), Lines(single.Weights));
        Assert.Equal(VaeConfig.Parse(own.Config, folder).BlockOutChannels, VaeConfig.Parse(single.Config, "").BlockOutChannels);
        Assert.Contains("not a VAE", Assert.Throws<FileException>(() => VaeFiles.Open(Goldens.Model("motion-v3.ckpt"))).Message);
    }

    [Fact]
    public void The_report_names_every_tensor_and_is_valid_JSON()
    {
        var report = CheckpointInspector.Inspect(Goldens.Model("motion-v3.ckpt"));
        Assert.Equal(560, report.Tensors.Count);
        Assert.Equal("v3", report.Metadata["animatediff_config.version"]);
        var json = JsonNode.Parse(report.ToJson())!;
        Assert.Equal("motion_module", json["kind"]!.GetValue<string>());
        Assert.Equal("v3", json["version"]!.GetValue<string>());
        Assert.Equal(560, json["tensors"]!.AsArray().Count);
        Assert.StartsWith("A v3 motion module for SD1.5 in the official layout: up to 32 frames", report.Kind.Sentence);

        var folder = CheckpointInspector.Inspect(Goldens.Model("nano-sd15"));
        Assert.Contains(folder.Tensors, tensor => tensor.Name == "unet/conv_in.weight");
        Assert.Equal(3, folder.Files.Count);
    }

    [Fact]
    public void Checkpoints_and_safetensors_of_one_model_have_the_same_bits()
    {
        Assert.SkipWhen(Goldens.Shared is null, "The full reference set is not beside the repository (ANIMATEDIFF_GOLDENS).");
        using var checkpoint = BaseModelFiles.Open(Goldens.Model("nano-sd15-single.ckpt"));
        using var safetensors = BaseModelFiles.Open(Goldens.Model("nano-sd15-single.safetensors"));
        using var folder = BaseModelFiles.Open(Goldens.Model("nano-sd15"));
        Assert.Equal(Lines(folder.UNet), Lines(checkpoint.UNet));
        Assert.Equal(Lines(folder.UNet), Lines(safetensors.UNet));
        Assert.Equal(Lines(folder.Vae), Lines(checkpoint.Vae));
        Assert.Equal(Lines(folder.TextEncoder), Lines(checkpoint.TextEncoder));
    }

    [Theory]
    [InlineData("motion-v1.ckpt", "motion-v1-diffusers")]
    [InlineData("motion-v3.ckpt", "motion-v3-diffusers")]
    [InlineData("motion-sdxl.ckpt", "motion-sdxl-diffusers")]
    public void Official_files_and_diffusers_folders_of_one_module_are_the_same(string official, string folder)
    {
        Assert.SkipWhen(Goldens.Shared is null, "The full reference set is not beside the repository (ANIMATEDIFF_GOLDENS).");
        using var from = MotionFiles.Open(Goldens.Model(official));
        using var reference = MotionFiles.Open(Goldens.Model(folder));
        Assert.Equal(reference.Traits, from.Traits);
        // The folder's tables were rounded with the weights.
        Assert.Equal(WithoutTables(reference.Weights), WithoutTables(from.Weights));
        AssertDerived(reference.Config, from.Config);

        static string[] WithoutTables(StateDict weights) => Lines(weights.Select(name => name.EndsWith(".pe") ? null : name));
    }

    [Theory]
    [InlineData("controlnet")]
    [InlineData("sparsectrl-rgb")]
    [InlineData("sparsectrl-scribble")]
    public void An_official_control_file_is_read_as_its_diffusers_folder(string model)
    {
        Assert.SkipWhen(Goldens.Shared is null, "The full reference set is not beside the repository (ANIMATEDIFF_GOLDENS).");
        using var scratch = new Scratch();
        using var folder = ControlFiles.Open(Goldens.Model(model));
        SafetensorsWriter.Write(scratch["official.safetensors"], folder.Weights.Select(name => "controlnet." + OfficialMotionLayout.FromDiffusers(name)));
        using var official = ControlFiles.Open(scratch["official.safetensors"]);
        Assert.Equal(Lines(folder.Weights), Lines(official.Weights));
        AssertDerived(folder.Config, official.Config);
    }

    [Fact]
    public void A_folder_without_the_table_takes_its_length_from_the_configuration()
    {
        using var scratch = new Scratch();
        using var v1 = MotionFiles.Open(Goldens.Model("motion-v1.ckpt"));
        Directory.CreateDirectory(scratch["adapter"]);
        SafetensorsWriter.Write(Path.Combine(scratch["adapter"], "diffusion_pytorch_model.fp16.safetensors"), v1.Weights.Select(name => name.EndsWith(".pe") ? null : name));
        File.WriteAllText(Path.Combine(scratch["adapter"], "config.json"), v1.Config);
        using var folder = MotionFiles.Open(scratch["adapter"]);
        Assert.Equal((MotionVersion.V1, 24, false), (folder.Traits.Version, folder.Traits.MaxFrames, folder.Traits.HasPositionEncoding));
        Assert.Empty(folder.Kind.Warnings);
        Assert.EndsWith("fp16.safetensors", Assert.Single(folder.Files));
    }

    [Fact]
    public void A_folder_with_another_model_in_its_UNets_place_is_refused()
    {
        using var scratch = new Scratch();
        using var v3 = ModelFolder.Open(Goldens.Model("motion-v3.ckpt"));
        Directory.CreateDirectory(scratch["unet"]);
        SafetensorsWriter.Write(Path.Combine(scratch["unet"], "diffusion_pytorch_model.safetensors"), v3);
        Assert.Contains("has a v3 motion module for SD1.5 in unet/", Assert.Throws<FileException>(() => BaseModelFiles.Open(scratch["."])).Message);
    }

    [Fact]
    public void Stable_Diffusion_2_is_refused_with_the_reason()
    {
        using var scratch = new Scratch();
        using var folder = BaseModelFiles.Open(Goldens.Model("nano-sd15"));
        var linear = folder.UNet.ToDictionary(entry => entry.Key, entry => entry.Key.EndsWith(".proj_in.weight") ? entry.Value.Reshape(entry.Value.Shape[0], entry.Value.Shape[1]) : entry.Value);
        SafetensorsWriter.Write(scratch["sd2.safetensors"], CompVisLayout.FromDiffusers("x", new(new StateDict("x", linear), folder.Vae, folder.TextEncoder, null)));
        Assert.Contains("exist for SD1.5 and SDXL only", Assert.Throws<FileException>(() => BaseModelFiles.Open(scratch["sd2.safetensors"])).Message);
    }

    /// <summary>Every value of the derived configuration that the real one has too must be equal to it.</summary>
    private static void AssertDerived(string real, string derived, params string[] constants)
    {
        var expected = JsonNode.Parse(real)!.AsObject();
        var compared = 0;
        foreach (var (key, value) in JsonNode.Parse(derived)!.AsObject())
            if (expected.ContainsKey(key) && !constants.Contains(key))
            {
                Assert.True(JsonNode.DeepEquals(expected[key], value), $"{key}: derived {value?.ToJsonString()}, real {expected[key]?.ToJsonString()}");
                compared++;
            }
        Assert.True(compared > 8);
    }
}
