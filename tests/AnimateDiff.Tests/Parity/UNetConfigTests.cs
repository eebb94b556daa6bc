using AnimateDiff.Denoising;
using AnimateDiff.Vae;

namespace AnimateDiff.Tests.Parity;

public sealed class UNetConfigTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("animatediff-config-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Diffusers_configuration_is_read_and_other_keys_are_skipped()
    {
        var unet = UNetConfig.Read(Path.Combine(Goldens.Model("nano-sd15"), "unet", "config.json"));
        Assert.Equal([32, 64, 64, 64], unet.BlockOutChannels);
        Assert.Equal(48, unet.CrossAttentionDim);
        Assert.Equal(8, unet.Heads);
        var vae = VaeConfig.Read(Path.Combine(Goldens.Model("nano-sd15"), "vae", "config.json"));
        Assert.Equal(0.18215, vae.ScalingFactor);
        Assert.Equal(8, vae.PixelsPerLatent);
        var motion = MotionConfig.Read(Write("""{ "_class_name": "MotionAdapter", "motion_max_seq_length": 24, "use_motion_mid_block": false, "conv_in_channels": null }"""));
        Assert.Equal((24, false), (motion.MotionMaxSeqLength, motion.UseMotionMidBlock));
    }

    [Theory]
    [InlineData("""{ "use_linear_projection": true }""", "use_linear_projection = true")]
    [InlineData("""{ "addition_embed_type": "text_time" }""", "addition_embed_type = \"text_time\"")]
    [InlineData("""{ "attention_head_dim": [5, 10, 20, 20] }""", "attention_head_dim")]
    [InlineData("""{ "block_out_channels": """, "not a UNet configuration")]
    public void Architecture_that_is_not_built_is_refused_by_the_key(string json, string expected)
        => Assert.Contains(expected, Assert.Throws<FileException>(() => UNetConfig.Read(Write(json))).Message);

    [Fact]
    public void Values_that_do_not_go_together_are_refused_with_what_is_allowed()
    {
        Assert.Contains("multiples of norm_num_groups (32)", Assert.Throws<RequestException>(() => UNetConfig.Read(Write("""{ "block_out_channels": [320, 640, 1280, 1000] }"""))).Message);
        Assert.Contains("CrossAttnDownBlock2D or DownBlock2D", Assert.Throws<RequestException>(() => new UNetConfig { DownBlockTypes = ["DownBlock2D", "A", "B", "C"] }.Validate()).Message);
        var other = new MotionConfig { BlockOutChannels = [320, 640, 1280] };
        Assert.Contains("those of the UNet, [320, 640, 1280, 1280]", Assert.Throws<RequestException>(() => new UNetMotionModel(new UNetConfig(), other, META)).Message);
    }

    private string Write(string json)
    {
        var path = Path.Combine(_folder, "config.json");
        File.WriteAllText(path, json);
        return path;
    }
}
