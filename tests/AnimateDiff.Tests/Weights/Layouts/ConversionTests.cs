using AnimateDiff.Weights;
using AnimateDiff.Weights.Layouts;
using static AnimateDiff.Tests.Weights.Layouts.LayoutFixtures;

namespace AnimateDiff.Tests.Weights.Layouts;

public sealed class ConversionTests
{
    [Fact]
    public void A_folder_becomes_the_reference_single_file_bit_for_bit()
    {
        using var scratch = new Scratch();
        CheckpointConverter.Convert(Goldens.Model("nano-sd15"), scratch["single.safetensors"], ConversionTarget.CompVis);
        Assert.Equal(Golden("nano-sd15-single"), Lines(scratch["single.safetensors"]));
        Assert.True(scratch.IsClean("single.safetensors"));
    }

    [Fact]
    public void A_folder_comes_back_from_a_single_file_with_its_configurations()
    {
        using var scratch = new Scratch();
        var folder = Goldens.Model("nano-sd15");
        CheckpointConverter.Convert(folder, scratch["single.safetensors"], ConversionTarget.CompVis);
        var result = CheckpointConverter.Convert(scratch["single.safetensors"], scratch["folder"], ConversionTarget.Diffusers);
        Assert.Equal(CheckpointKind.BaseFolder, result.Kind.Kind);
        Assert.Contains("no tokenizer", Assert.Single(result.Notes));
        foreach (var part in new[] { "unet", "vae", "text_encoder" })
        {
            Assert.Equal(Lines(Path.Combine(folder, part)), Lines(Path.Combine(scratch["folder"], part)));
            Assert.Equal(File.ReadAllText(Path.Combine(folder, part, "config.json")), File.ReadAllText(Path.Combine(scratch["folder"], part, "config.json")));
        }
        Assert.Equal(File.ReadAllText(Path.Combine(folder, "scheduler", "scheduler_config.json")), File.ReadAllText(Path.Combine(scratch["folder"], "scheduler", "scheduler_config.json")));
        Assert.True(scratch.IsClean("single.safetensors", "folder"));
    }

    [Fact]
    public void An_SDXL_folder_comes_back_from_a_single_file()
    {
        Assert.SkipWhen(Goldens.Shared is null, "The full reference set is not beside the repository (ANIMATEDIFF_GOLDENS).");
        using var scratch = new Scratch();
        CheckpointConverter.Convert(Goldens.Model("nano-sdxl"), scratch["xl.safetensors"], ConversionTarget.CompVis);
        CheckpointConverter.Convert(scratch["xl.safetensors"], scratch["xl"], ConversionTarget.Diffusers);
        foreach (var part in new[] { "unet", "vae", "text_encoder", "text_encoder_2" })
            Assert.Equal(Lines(Path.Combine(Goldens.Model("nano-sdxl"), part)), Lines(Path.Combine(scratch["xl"], part)));
    }

    [Fact]
    public void An_official_module_becomes_the_reference_motion_adapter_bit_for_bit()
    {
        using var scratch = new Scratch();
        CheckpointConverter.Convert(Goldens.Model("motion-v1.ckpt"), scratch["adapter"], ConversionTarget.Diffusers, ScalarType.Float16);
        Assert.Equal(Golden("motion-v1-diffusers"), Lines(scratch["adapter"]));
        Assert.Equal(MotionVersion.V1, CheckpointInspector.KindOf(scratch["adapter"]).Motion!.Version);
    }

    [Theory]
    [InlineData("motion-v1.ckpt")]
    [InlineData("motion-v2.safetensors")]
    [InlineData("motion-v3.ckpt")]
    public void An_official_module_comes_back_from_diffusers(string model)
    {
        using var scratch = new Scratch();
        CheckpointConverter.Convert(Goldens.Model(model), scratch["adapter"], ConversionTarget.Diffusers);
        CheckpointConverter.Convert(scratch["adapter"], scratch["official.safetensors"], ConversionTarget.Official);
        using var original = ModelFolder.Open(Goldens.Model(model));
        Assert.Equal(Lines(Wrappers.Strip(original)), Lines(scratch["official.safetensors"]));
    }

    [Fact]
    public void A_module_without_position_encoding_gets_the_official_table()
    {
        using var scratch = new Scratch();
        using var v2 = ModelFolder.Open(Goldens.Model("motion-v2.safetensors"));
        SafetensorsWriter.Write(scratch["bare.safetensors"], v2.Select(name => name.EndsWith(".pe") ? null : "module." + name));
        var result = CheckpointConverter.Convert(scratch["bare.safetensors"], scratch["whole.safetensors"], ConversionTarget.Official, ScalarType.Float32);
        Assert.Contains(result.Notes, note => note.Contains("64 frames was computed"));
        using var whole = ModelFolder.Open(scratch["whole.safetensors"]);
        Assert.Equal(v2.Keys.Order(), whole.Keys.Order());
        foreach (var (name, expected) in v2.Where(entry => entry.Key.EndsWith(".pe")))
        {
            using var scope = NewDisposeScope();
            var table = whole[name].Read();
            Assert.Equal([1, 64, expected.Shape[2]], table.shape);
            // rounded to half precision with the module it was added to
            Assert.True(Goldens.Difference(table[.., ..32], expected.Read()) < 5e-4, name);
        }
    }

    [Theory]
    [InlineData("domain-adapter.ckpt", ConversionTarget.Diffusers)]
    [InlineData("domain-adapter.ckpt", ConversionTarget.Kohya)]
    [InlineData("motionlora-zoom-in.ckpt", ConversionTarget.Diffusers)]
    public void An_official_LoRA_comes_back_from_another_layout_as_the_same_kind(string model, ConversionTarget by)
    {
        using var scratch = new Scratch();
        var there = CheckpointConverter.Convert(Goldens.Model(model), scratch["there.safetensors"], by);
        var back = CheckpointConverter.Convert(scratch["there.safetensors"], scratch["back.safetensors"], ConversionTarget.Official);
        using var original = ModelFolder.Open(Goldens.Model(model));
        Assert.Equal(Lines(Wrappers.Strip(original)), Lines(scratch["back.safetensors"]));
        Assert.Equal(CheckpointInspector.KindOf(Goldens.Model(model)).Kind, there.Kind.Kind);
        Assert.Equal(there.Kind.Kind, back.Kind.Kind);
    }

    [Fact]
    public void The_diffusers_mirror_of_a_MotionLora_is_named_as_the_published_ones()
    {
        using var scratch = new Scratch();
        CheckpointConverter.Convert(Goldens.Model("motionlora-zoom-in.ckpt"), scratch["mirror.safetensors"], ConversionTarget.Diffusers);
        using var original = ModelFolder.Open(Goldens.Model("motionlora-zoom-in.ckpt"));
        using var mirror = ModelFolder.Open(scratch["mirror.safetensors"]);
        var expected = Wrappers.Strip(original).Keys.Select(name => "unet." + name.Replace(".temporal_transformer", "").Replace("attention_blocks.0", "attn1").Replace("attention_blocks.1", "attn2"));
        Assert.Equal(expected.Order(), mirror.Keys.Order());
    }

    [Fact]
    public void A_kohya_LoRA_comes_back_from_diffusers_with_its_alphas()
    {
        using var scratch = new Scratch();
        var kohya = Goldens.Model("kohya-style.safetensors");
        var there = CheckpointConverter.Convert(kohya, scratch["diffusers.safetensors"], ConversionTarget.Diffusers);
        CheckpointConverter.Convert(scratch["diffusers.safetensors"], scratch["kohya.safetensors"], ConversionTarget.Kohya);
        Assert.Equal(Lines(kohya), Lines(scratch["kohya.safetensors"]));
        Assert.Contains("lora_adapter_metadata", Assert.Single(there.Notes));
        using var diffusers = LoraFiles.Open(scratch["diffusers.safetensors"]);
        Assert.All(diffusers.Weights.Layers.Values, layer => Assert.Equal(0.5, layer.Scale));
        Assert.Equal(CheckpointLayout.Diffusers, diffusers.Kind.Layout);
    }

    [Fact]
    public void A_LoRA_with_ranks_and_alphas_of_its_own_for_some_layers_keeps_them()
    {
        using var scratch = new Scratch();
        SafetensorsWriter.Write(scratch["mixed.safetensors"], Numbered(
        [
            ("lora_unet_conv_in.lora_down.weight", [2, 4, 3, 3]), ("lora_unet_conv_in.lora_up.weight", [8, 2, 1, 1]), ("lora_unet_conv_in.alpha", []),
            ("lora_unet_conv_out.lora_down.weight", [3, 8, 3, 3]), ("lora_unet_conv_out.lora_up.weight", [4, 3, 1, 1]), ("lora_unet_conv_out.alpha", []),
        ], ScalarType.BFloat16));
        CheckpointConverter.Convert(scratch["mixed.safetensors"], scratch["diffusers.safetensors"], ConversionTarget.Diffusers);
        CheckpointConverter.Convert(scratch["diffusers.safetensors"], scratch["back.safetensors"], ConversionTarget.Kohya);
        Assert.Equal(Lines(scratch["mixed.safetensors"]), Lines(scratch["back.safetensors"]));
    }

    [Fact]
    public void A_type_is_applied_to_the_weights_and_overflow_is_refused()
    {
        using var scratch = new Scratch();
        CheckpointConverter.Convert(Goldens.Model("motion-v3.ckpt"), scratch["v3.safetensors"], ConversionTarget.Official, ScalarType.BFloat16);
        Assert.Equal([ScalarType.BFloat16], CheckpointInspector.KindOf(scratch["v3.safetensors"]).DTypes);

        SafetensorsWriter.Write(scratch["large.safetensors"], [("unet.conv_in.lora_A.weight", full([1, 4, 3, 3], 70000f)), ("unet.conv_in.lora_B.weight", ones([8, 1, 1, 1]))]);
        var error = Assert.Throws<FileException>(() => CheckpointConverter.Convert(scratch["large.safetensors"], scratch["half.safetensors"], ConversionTarget.Diffusers, ScalarType.Float16));
        Assert.Contains("beyond 65504", error.Message);
        Assert.True(scratch.IsClean("v3.safetensors", "large.safetensors"));
    }

    [Theory]
    [InlineData("motion-v3.ckpt", ConversionTarget.Kohya, "kohya's layout is for LoRAs")]
    [InlineData("motion-v3.ckpt", ConversionTarget.CompVis, "single files hold no motion modules")]
    [InlineData("nano-sd15", ConversionTarget.Official, "choose diffusers or compvis")]
    [InlineData("domain-adapter.ckpt", ConversionTarget.CompVis, "a LoRA is no base model")]
    [InlineData("motionlora-zoom-in.ckpt", ConversionTarget.Kohya, "have no motion modules to put it on")]
    [InlineData("kohya-style.safetensors", ConversionTarget.Official, "the official layout is for domain adapters and MotionLoRAs")]
    [InlineData("nano-sd15/vae", ConversionTarget.CompVis, "only base models, motion modules and LoRAs are converted")]
    public void Directions_that_make_no_sense_are_refused_with_the_reason(string model, ConversionTarget to, string reason)
    {
        using var scratch = new Scratch();
        Assert.Contains(reason, Assert.Throws<RequestException>(() => CheckpointConverter.Convert(Goldens.Model(model), scratch["out.safetensors"], to)).Message);
        Assert.True(scratch.IsClean());
    }

    [Fact]
    public void Nothing_is_overwritten_unasked_and_never_a_folder_of_something_else()
    {
        using var scratch = new Scratch();
        var v3 = Goldens.Model("motion-v3.ckpt");
        CheckpointConverter.Convert(v3, scratch["v3.safetensors"], ConversionTarget.Official);
        Refused(scratch["v3.safetensors"], ConversionTarget.Official, overwrite: false, "exists");
        CheckpointConverter.Convert(v3, scratch["v3.safetensors"], ConversionTarget.Official, overwrite: true);

        CheckpointConverter.Convert(v3, scratch["v3"], ConversionTarget.Diffusers);
        Refused(scratch["v3"], ConversionTarget.Diffusers, overwrite: false, "exists");
        CheckpointConverter.Convert(v3, scratch["v3"], ConversionTarget.Diffusers, overwrite: true);

        File.WriteAllText(Path.Combine(Directory.CreateDirectory(scratch["home"]).FullName, "thesis.txt"), "precious");
        Refused(scratch["home"], ConversionTarget.Diffusers, overwrite: true, "holds something else than a model");
        Refused(scratch["v3.ckpt"], ConversionTarget.Official, overwrite: false, "must be called .safetensors");
        Refused(scratch["folder.safetensors"], ConversionTarget.Diffusers, overwrite: false, "is a folder; name a folder");
        Assert.True(scratch.IsClean("home", "v3", "v3.safetensors"));

        void Refused(string output, ConversionTarget to, bool overwrite, string reason)
            => Assert.Contains(reason, Assert.Throws<RequestException>(() => CheckpointConverter.Convert(v3, output, to, overwrite: overwrite)).Message);
    }

    [Fact]
    public void Position_encodings_that_differ_within_a_block_are_not_lost_silently()
    {
        using var scratch = new Scratch();
        using var v1 = ModelFolder.Open(Goldens.Model("motion-v1.ckpt"));
        var bare = Wrappers.Strip(v1);
        SafetensorsWriter.Write(scratch["learned.safetensors"], bare.Select(entry => entry.Key.StartsWith("down_blocks.0.motion_modules.0.") && entry.Key.EndsWith("attention_blocks.1.pos_encoder.pe")
            ? KeyValuePair.Create(entry.Key, entry.Value with { Read = () => entry.Value.Read().mul_(2) }) : entry));
        Assert.Contains("position encodings", Assert.Throws<FileException>(
            () => CheckpointConverter.Convert(scratch["learned.safetensors"], scratch["out"], ConversionTarget.Diffusers)).Message);
    }
}
