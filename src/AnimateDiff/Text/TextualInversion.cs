using AnimateDiff.Weights;

namespace AnimateDiff.Text;

/// <summary>
/// A learned word (Gal et al., 2022): where <see cref="Token"/> stands in a prompt, the text model reads <see cref="Vectors"/> in place of token embeddings.
/// The model's own embeddings stay as they are.
/// </summary>
internal sealed class TextualInversion : IDisposable
{
    private const string A1111Prefix = "string_to_param.", A1111Tensor = "emb_params";

    /// <summary>What stands for it in prompts, in any case of letters.</summary>
    public string Token { get; }

    /// <summary>One or more vectors, [N, D].</summary>
    public Tensor Vectors { get; }

    public TextualInversion(string token, Tensor vectors) => (Token, Vectors) = (token, vectors.DetachFromDisposeScope());

    /// <summary>
    /// Reads an embedding file: A1111's <c>.pt</c> (<c>string_to_param</c> and <c>name</c>) or <c>.safetensors</c> (<c>emb_params</c>), or the one tensor under its
    /// token that diffusers writes.
    /// </summary>
    /// <param name="weights">The file.</param>
    /// <param name="width">Width of the text model, D.</param>
    /// <param name="token">What shall stand for it; null takes the name in the file, or else the file's.</param>
    /// <exception cref="FileException">The file holds no embedding, or one for another model.</exception>
    public static TextualInversion Read(StateDict weights, int width, string? token = null)
    {
        var (name, tensor) = Find(weights);
        if (tensor.Shape.Count is not (1 or 2) || tensor.ElementCount == 0)
        {
            throw new FileException(weights.Path, $"{weights.Path} holds no textual inversion: found a tensor of shape [{string.Join(", ", tensor.Shape)}], "
                + $"expected [{width}] or [vectors, {width}].");
        }
        if (tensor.Shape[^1] != width)
        {
            throw new FileException(weights.Path, $"{weights.Path} belongs to another base model: its vectors have {tensor.Shape[^1]} numbers, "
                + $"this text encoder's {width} (768 is Stable Diffusion 1, 1024 is 2); leave it out or take one made for this model.");
        }
        var chosen = (token ?? name ?? Path.GetFileNameWithoutExtension(weights.Path)).Trim();
        if (chosen.Length == 0)
            throw new FileException(weights.Path, $"{weights.Path} names no token; give it one.");
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        return new TextualInversion(chosen, tensor.Read().to(ScalarType.Float32).reshape(-1, width));
    }

    private static (string? Name, WeightTensor Tensor) Find(StateDict weights)
    {
        var found = weights.Where(entry => entry.Key.StartsWith(A1111Prefix, StringComparison.Ordinal)).ToArray();
        if (found.Length == 1)
            return (weights.Metadata.GetValueOrDefault("name"), found[0].Value);
        if (weights.TryGetValue(A1111Tensor, out var tensor))
            return (weights.Metadata.GetValueOrDefault("name"), tensor);
        if (weights.Count == 1)
            return (weights.First().Key, weights.First().Value);
        throw new FileException(weights.Path, weights.ContainsKey("clip_l") && weights.ContainsKey("clip_g")
            ? $"{weights.Path} is a textual inversion for Stable Diffusion XL (it has clip_l and clip_g), which this text encoder cannot use; "
                + "take one made for Stable Diffusion 1.5."
            : $"{weights.Path} holds no textual inversion: found {weights.Count} tensors ({string.Join(", ", weights.Keys.Take(3))} …), "
                + "expected string_to_param, emb_params or one tensor under its token.");
    }

    public void Dispose() => Vectors.Dispose();
}
