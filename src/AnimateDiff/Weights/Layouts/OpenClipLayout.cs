namespace AnimateDiff.Weights.Layouts;

/// <summary>
/// The second text encoder of SDXL single files, OpenCLIP's: one matrix holds query, key and value, and the projection is stored transposed.
/// </summary>
internal static class OpenClipLayout
{
    private const string Layers = "transformer.resblocks.";

    private static readonly Renames Outer = new(
        ("token_embedding.weight", "text_model.embeddings.token_embedding.weight"), ("positional_embedding", "text_model.embeddings.position_embedding.weight"),
        ("ln_final", "text_model.final_layer_norm"), ("text_projection", "text_projection.weight"));

    private static readonly Renames Layer = new(
        ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2"), ("attn.out_proj", "self_attn.out_proj"));

    private static readonly string[] Projections = ["q_proj", "k_proj", "v_proj"];

    /// <summary>The encoder under diffusers' names.</summary>
    public static StateDict ToDiffusers(StateDict text)
    {
        var renamed = new Dictionary<string, WeightTensor>();
        foreach (var (name, tensor) in text)
        {
            if (name is "logit_scale" or "attn_mask")
                continue;
            if (!name.StartsWith(Layers, StringComparison.Ordinal))
            {
                renamed.Add(Outer.ToDiffusers(name), name == "text_projection" ? tensor.Transpose() : tensor);
                continue;
            }
            var parts = name[Layers.Length..].Split('.', 2);
            var layer = $"text_model.encoder.layers.{parts[0]}.";
            if (parts[1] is not ("attn.in_proj_weight" or "attn.in_proj_bias"))
            {
                renamed.Add(layer + Layer.ToDiffusers(parts[1]), tensor);
                continue;
            }
            var rows = tensor.Shape[0] / 3;
            for (var part = 0; part < 3; part++)
                renamed.Add($"{layer}self_attn.{Projections[part]}.{parts[1]["attn.in_proj_".Length..]}", tensor.Rows(part * rows, rows));
        }
        return new StateDict(text.Path, renamed, text.Metadata);
    }

    /// <summary>The encoder under OpenCLIP's names.</summary>
    public static StateDict FromDiffusers(StateDict text)
    {
        const string DiffusersLayers = "text_model.encoder.layers.";
        var renamed = new Dictionary<string, WeightTensor>();
        foreach (var (name, tensor) in text)
        {
            if (!name.StartsWith(DiffusersLayers, StringComparison.Ordinal))
            {
                renamed.Add(Outer.FromDiffusers(name), name == "text_projection.weight" ? tensor.Transpose() : tensor);
                continue;
            }
            var parts = name[DiffusersLayers.Length..].Split('.', 2);
            if (parts[1].Split('.') is not ["self_attn", "q_proj" or "k_proj" or "v_proj", var kind])
                renamed.Add($"{Layers}{parts[0]}.{Layer.FromDiffusers(parts[1])}", tensor);
            else if (parts[1].StartsWith("self_attn.q_proj", StringComparison.Ordinal))
                renamed.Add($"{Layers}{parts[0]}.attn.in_proj_{kind}",
                    LazyTensors.Stack([.. Projections.Select(projection => text[$"{DiffusersLayers}{parts[0]}.self_attn.{projection}.{kind}"])]));
        }
        return new StateDict(text.Path, renamed, text.Metadata);
    }
}
