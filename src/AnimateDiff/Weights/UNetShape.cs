using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Weights;

/// <summary>What the tensors of a UNet under diffusers' names say about its configuration.</summary>
internal sealed record UNetShape
{
    public required IReadOnlyList<long> Widths { get; init; }
    public required IReadOnlyList<bool> DownAttends { get; init; }
    public required IReadOnlyList<bool> UpAttends { get; init; }

    /// <summary>Transformer blocks per attention, by resolution; 1 where there is no attention, as diffusers counts.</summary>
    public required IReadOnlyList<int> Depths { get; init; }
    public required long InChannels { get; init; }
    public required long OutChannels { get; init; }
    public required long CrossAttentionWidth { get; init; }
    public required bool LinearProjection { get; init; }

    /// <summary>Width of the added conditions of SDXL (pooled text and six time embeddings), or null.</summary>
    public required long? AddedWidth { get; init; }

    public ModelFamily Family => AddedWidth is not null || Widths.Count == 3 ? ModelFamily.StableDiffusionXL
        : LinearProjection ? ModelFamily.StableDiffusion2 : ModelFamily.StableDiffusion1;

    /// <summary>Whether these are a UNet's names.</summary>
    public static bool Matches(StateDict unet)
        => unet.ContainsKey("conv_in.weight") && unet.ContainsKey("conv_out.weight") && unet.ContainsKey("down_blocks.0.resnets.0.conv1.weight") && unet.Has("time_embedding.");

    public static UNetShape Of(StateDict unet)
    {
        var blocks = Enumerable.Range(0, NameParts.Count(unet.Keys, "down_blocks.")).ToArray();
        long Size(string name, int dimension) => unet.TryGetValue(name, out var tensor) ? tensor.Size(dimension) : 0;
        return new UNetShape
        {
            Widths = [.. blocks.Select(block => Size($"down_blocks.{block}.resnets.0.conv1.weight", 0))],
            DownAttends = [.. blocks.Select(block => unet.Has($"down_blocks.{block}.attentions."))],
            UpAttends = [.. blocks.Select(block => unet.Has($"up_blocks.{block}.attentions."))],
            Depths = [.. blocks.Select(block => Math.Max(1, NameParts.Count(unet.Keys, $"down_blocks.{block}.attentions.0.transformer_blocks.")))],
            InChannels = Size("conv_in.weight", 1),
            OutChannels = Size("conv_out.weight", 0),
            CrossAttentionWidth = Size(unet.Keys.FirstOrDefault(name => name.EndsWith(".attn2.to_k.weight", StringComparison.Ordinal)) ?? "", 1),
            LinearProjection = unet.FirstOrDefault(entry => entry.Key.Contains(".attentions.", StringComparison.Ordinal) && entry.Key.EndsWith(".proj_in.weight", StringComparison.Ordinal))
                .Value?.Shape.Count == 2,
            AddedWidth = unet.TryGetValue("add_embedding.linear_1.weight", out var added) ? added.Size(1) : null,
        };
    }
}
