using AnimateDiff.Noise;
using AnimateDiff.Tests.Text;
using AnimateDiff.Tests.Video;
using AnimateDiff.Tests.Weights.Layouts;
using AnimateDiff.Video;
using AnimateDiff.Weights;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Tests.Control;

/// <summary>ControlNets under the names that their authors' code gives them.</summary>
public sealed class CompVisControlTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("", "")]
    [InlineData("control_model.", "")]
    [InlineData("control_model.", "model.diffusion_model.input_blocks.0.0.weight")]             // version 1.0's files have Stable Diffusion beside it
    public void Such_a_file_has_the_tensors_and_the_configuration_of_the_diffusers_folder(string prefix, string beside)
    {
        using var folder = ControlFiles.Open(Goldens.Model("controlnet"));
        using var file = ControlFiles.Open(Write(prefix, beside));
        Assert.Equal(LayoutFixtures.Lines(folder.Weights), LayoutFixtures.Lines(file.Weights));
        var (given, derived) = (AnimateDiff.Control.ControlConfig.Parse(folder.Config, "a"), AnimateDiff.Control.ControlConfig.Parse(file.Config, "b"));
        Assert.Equal(given.ConditioningEmbeddingOutChannels, derived.ConditioningEmbeddingOutChannels);
        Assert.Equal(given.UNet.BlockOutChannels, derived.UNet.BlockOutChannels);
        Assert.Equal(given.UNet.DownBlockTypes, derived.UNet.DownBlockTypes);
        Assert.Equal((given.UNet.CrossAttentionDim, given.ConditioningChannels, given.UNet.LayersPerBlock), (derived.UNet.CrossAttentionDim, derived.ConditioningChannels, derived.UNet.LayersPerBlock));
    }

    [Fact]
    public async Task It_steers_a_clip_as_the_diffusers_folder_does()
    {
        await VideoWriter.WriteAsync(_folder["frames/"], Clips.Moving(2, 32, 32), 8, "{}", cancellationToken: TestContext.Current.CancellationToken);
        using var pipeline = await AnimateDiffPipeline.LoadAsync(
            new PipelineOptions { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model("motion-v3.ckpt") }, RecordedTokenizer.Load(), cancellationToken: TestContext.Current.CancellationToken);
        async Task<float[]> With(params string[] networks)
        {
            var request = new GenerationRequest("A painting of a squirrel eating a burger, 4k")
            {
                Frames = 2,
                Steps = 2,
                Seed = 5,
                Height = 32,
                Width = 32,
                Controls = [.. networks.Select(path => new ControlNetInput(path, _folder["frames"]))],
            };
            var (latents, frames) = await pipeline.GenerateTensorsAsync(request, Scheduler.Create("ddim", null, request.Steps));
            using (latents)
            using (frames)
                return [.. latents.contiguous().data<float>()];
        }
        var expected = await With(Goldens.Model("controlnet"));
        Assert.Equal(expected, await With(Write("control_model.")));
        Assert.NotEqual(expected, await With());
    }

    [Fact]
    public void It_is_known_for_what_it_is()
    {
        var (kind, folder) = (CheckpointInspector.KindOf(Write("control_model.")), CheckpointInspector.KindOf(Goldens.Model("controlnet")));
        Assert.Equal(folder with { Layout = CheckpointLayout.CompVis, Sentence = kind.Sentence, BlockWidths = kind.BlockWidths, DTypes = kind.DTypes, Warnings = kind.Warnings }, kind);
        Assert.Equal(folder.BlockWidths, kind.BlockWidths);
        Assert.StartsWith("A ControlNet for SD1.5 in the CompVis layout: channels 32-64-64-64, text width 48, ", kind.Sentence);
    }

    [Fact]
    public void Differences_from_a_base_model_are_refused() =>
        Assert.Contains("differences", Assert.Throws<FileException>(() => ControlFiles.Open(Write("control_model.", "difference"))).Message);

    [Theory]
    [InlineData("time_embed.2.bias", "time_embedding.linear_2.bias")]
    [InlineData("input_blocks.0.0.weight", "conv_in.weight")]
    [InlineData("input_blocks.3.0.op.weight", "down_blocks.0.downsamplers.0.conv.weight")]
    [InlineData("input_blocks.4.0.skip_connection.weight", "down_blocks.1.resnets.0.conv_shortcut.weight")]
    [InlineData("input_blocks.8.1.transformer_blocks.0.attn2.to_out.0.bias", "down_blocks.2.attentions.1.transformer_blocks.0.attn2.to_out.0.bias")]
    [InlineData("input_blocks.11.0.emb_layers.1.weight", "down_blocks.3.resnets.1.time_emb_proj.weight")]
    [InlineData("middle_block.1.proj_in.weight", "mid_block.attentions.0.proj_in.weight")]
    [InlineData("middle_block.2.in_layers.0.weight", "mid_block.resnets.1.norm1.weight")]
    [InlineData("middle_block_out.0.weight", "controlnet_mid_block.weight")]
    [InlineData("zero_convs.0.0.weight", "controlnet_down_blocks.0.weight")]
    [InlineData("zero_convs.11.0.bias", "controlnet_down_blocks.11.bias")]
    [InlineData("input_hint_block.0.bias", "controlnet_cond_embedding.conv_in.bias")]
    [InlineData("input_hint_block.2.weight", "controlnet_cond_embedding.blocks.0.weight")]
    [InlineData("input_hint_block.12.weight", "controlnet_cond_embedding.blocks.5.weight")]
    [InlineData("input_hint_block.14.weight", "controlnet_cond_embedding.conv_out.weight")]
    public void Names_become_those_of_diffusers(string theirs, string diffusers) => Assert.Equal(diffusers, CompVisControlLayout.ToDiffusers(theirs));

    /// <summary>The reference ControlNet under their names, with one more tensor <paramref name="beside"/> it.</summary>
    private string Write(string prefix, string beside = "")
    {
        using var folder = ControlFiles.Open(Goldens.Model("controlnet"));
        var path = _folder[$"control-{prefix}{beside}.safetensors"];
        using var more = ones(2);
        var tensors = folder.Weights.Select(entry => KeyValuePair.Create(prefix + Theirs(entry.Key), entry.Value));
        SafetensorsWriter.Write(path, beside.Length == 0 ? tensors : tensors.Append(KeyValuePair.Create(beside, WeightTensor.Of(more))));
        return path;
    }

    /// <summary>Their name of a tensor, from how their network is put together: every layer of the way down is an input block, and so is every change of size.</summary>
    private static string Theirs(string name)
    {
        string[] resnet = ["norm1=in_layers.0", "conv1=in_layers.2", "time_emb_proj=emb_layers.1", "norm2=out_layers.0", "conv2=out_layers.3", "conv_shortcut=skip_connection"];
        string Resnet(string rest) => resnet.Select(pair => pair.Split('=')).Where(pair => rest.StartsWith(pair[0] + ".")).Select(pair => pair[1] + rest[pair[0].Length..]).Single();
        var words = name.Split('.');
        int Number(int place) => int.Parse(words[place]);
        string From(int place) => string.Join('.', words[place..]);
        return words switch
        {
            ["conv_in", ..] => $"input_blocks.0.0.{words[1]}",
            ["time_embedding", "linear_1", ..] => $"time_embed.0.{words[2]}",
            ["time_embedding", "linear_2", ..] => $"time_embed.2.{words[2]}",
            ["controlnet_cond_embedding", "conv_in", ..] => $"input_hint_block.0.{words[2]}",
            ["controlnet_cond_embedding", "conv_out", ..] => $"input_hint_block.14.{words[2]}",
            ["controlnet_cond_embedding", "blocks", ..] => $"input_hint_block.{2 * Number(2) + 2}.{words[3]}",
            ["controlnet_down_blocks", ..] => $"zero_convs.{words[1]}.0.{words[2]}",
            ["controlnet_mid_block", ..] => $"middle_block_out.0.{words[1]}",
            ["down_blocks", _, "resnets", ..] => $"input_blocks.{3 * Number(1) + Number(3) + 1}.0.{Resnet(From(4))}",
            ["down_blocks", _, "attentions", ..] => $"input_blocks.{3 * Number(1) + Number(3) + 1}.1.{From(4)}",
            ["down_blocks", _, "downsamplers", "0", "conv", ..] => $"input_blocks.{3 * Number(1) + 3}.0.op.{words[5]}",
            ["mid_block", "resnets", ..] => $"middle_block.{(words[2] == "0" ? 0 : 2)}.{Resnet(From(3))}",
            ["mid_block", "attentions", "0", ..] => $"middle_block.1.{From(3)}",
            _ => throw new InvalidOperationException(name),
        };
    }
}
