namespace AnimateDiff.Weights.Layouts;

/// <summary>
/// The module paths a LoRA can be on, for every Stable Diffusion there is: what no model has (an eleventh transformer block) is simply never asked for, so no configuration is needed.
/// </summary>
internal static class ModuleNames
{
    private const int Blocks = 4, LayersPerBlock = 3, TransformerBlocks = 10, TextLayers = 32;

    /// <summary>Convolutions and linear layers of the image UNet.</summary>
    public static IEnumerable<string> UNet()
    {
        string[] ends = ["conv_in", "conv_out", "time_embedding.linear_1", "time_embedding.linear_2", "add_embedding.linear_1", "add_embedding.linear_2"];
        var blocks = Enumerable.Range(0, Blocks);
        return [.. ends, .. blocks.SelectMany(block => Block($"down_blocks.{block}")), .. Block("mid_block"), .. blocks.SelectMany(block => Block($"up_blocks.{block}"))];
    }

    /// <summary>Linear layers of a CLIP text encoder.</summary>
    public static IEnumerable<string> TextEncoder()
    {
        for (var layer = 0; layer < TextLayers; layer++)
            foreach (var part in new[] { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2" })
                yield return $"text_model.encoder.layers.{layer}.{part}";
        yield return "text_projection";
    }

    private static IEnumerable<string> Block(string block)
    {
        for (var layer = 0; layer < LayersPerBlock; layer++)
        {
            foreach (var part in new[] { "conv1", "conv2", "conv_shortcut", "time_emb_proj" })
                yield return $"{block}.resnets.{layer}.{part}";
            foreach (var part in new[] { "proj_in", "proj_out" })
                yield return $"{block}.attentions.{layer}.{part}";
            for (var transformer = 0; transformer < TransformerBlocks; transformer++)
                foreach (var part in new[]
                {
                    "attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0", "ff.net.0.proj", "ff.net.2",
                })
                    yield return $"{block}.attentions.{layer}.transformer_blocks.{transformer}.{part}";
        }
        yield return $"{block}.downsamplers.0.conv";
        yield return $"{block}.upsamplers.0.conv";
    }
}
