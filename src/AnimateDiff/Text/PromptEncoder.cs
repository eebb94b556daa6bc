namespace AnimateDiff.Text;

/// <summary>What the denoiser reads of the prompts; the caller's to dispose.</summary>
/// <param name="Positive">Context of the prompts, [B, L, D]; L is the model's sequence length (77) times the number of chunks.</param>
/// <param name="Negative">Context of the negative prompts in the same shape, or null without guidance.</param>
/// <param name="Warnings">What was cut off, a sentence each.</param>
internal sealed record EncodedPrompts(Tensor Positive, Tensor? Negative, IReadOnlyList<string> Warnings) : IDisposable
{
    public void Dispose()
    {
        Positive.Dispose();
        Negative?.Dispose();
    }
}

/// <summary>
/// Prompts → context. A prompt without weights that fits into one sequence gives exactly what diffusers gives. A longer one is encoded in chunks, each a sequence
/// of its own with begin and end, and their states are concatenated, as in the common user interfaces; prompts of fewer chunks get empty ones.
/// </summary>
/// <remarks>
/// Weights (<see cref="PromptWeights"/>) act as in AUTOMATIC1111's stable-diffusion-webui ("Original" in modules/sd_emphasis.py): the states z of a chunk become
/// <c>w·z · mean(z) / mean(w·z)</c>, w being 1 at begin, end and padding. The means run over the chunk alone, so that a prompt does not depend on its batch.
/// </remarks>
internal sealed class PromptEncoder
{
    private readonly ClipTextModel _model;
    private readonly IReadOnlyList<TextualInversion> _inversions;
    private readonly PromptTokenizer _prompts;
    private readonly ITokenizer _tokenizer;
    private readonly int _length;

    /// <param name="tokenizer">Tokenizer of the model.</param>
    /// <param name="model">Text model with its weights.</param>
    /// <param name="inversions">Textual inversions that prompts may name; they must outlive the encoder, and leave no trace in the model.</param>
    /// <exception cref="RequestException">Two inversions have one token.</exception>
    public PromptEncoder(ITokenizer tokenizer, ClipTextModel model, IReadOnlyList<TextualInversion>? inversions = null)
    {
        (_tokenizer, _model, _inversions) = (tokenizer, model, inversions ?? []);
        _prompts = new PromptTokenizer(tokenizer, model.Config.VocabSize, _inversions);
        _length = Math.Min(tokenizer.MaxLength, model.Config.MaxPositionEmbeddings);
    }

    /// <summary>Encodes prompts, and the negative prompts that go with them.</summary>
    /// <param name="prompts">B prompts.</param>
    /// <param name="negativePrompts">As many, or one for all; null without guidance.</param>
    /// <param name="clipSkip">Layers to leave out at the end, 0 … the number of layers; as in diffusers, the negative prompts keep all layers.</param>
    /// <param name="truncate">Whether a prompt ends after its first chunk, with a warning, as in diffusers.</param>
    /// <exception cref="RequestException">The numbers of prompts differ, or the model has fewer layers than are to be skipped.</exception>
    public EncodedPrompts Encode(IReadOnlyList<string> prompts, IReadOnlyList<string>? negativePrompts, int clipSkip = 0, bool truncate = false)
    {
        if (prompts.Count == 0 || (negativePrompts is not null && negativePrompts.Count != 1 && negativePrompts.Count != prompts.Count))
            throw new RequestException($"Found {prompts.Count} prompts and {negativePrompts?.Count ?? 0} negative prompts; "
                + "give at least one prompt, and one negative prompt for all or one for each.");
        var layers = _model.Config.NumHiddenLayers;
        if (clipSkip < 0 || clipSkip > layers)
            throw new RequestException($"Clip skip is {clipSkip}, but the text encoder has {layers} layers; give a number from 0 to {layers}.");
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var warnings = new List<string>();
        List<List<List<PromptToken>>> Split(IEnumerable<string> texts) => [.. texts.Select(text => Chunks(text, truncate, warnings))];
        var (positive, negative) = (Split(prompts), Split(negativePrompts ?? []));
        var count = positive.Concat(negative).Max(chunks => chunks.Count);
        return new EncodedPrompts(
            Encode(positive, count, clipSkip).MoveToOuterDisposeScope(),
            negativePrompts is null ? null : Encode(negative, count, clipSkip: 0).expand(prompts.Count, -1, -1).contiguous().MoveToOuterDisposeScope(),
            warnings);
    }

    private List<List<PromptToken>> Chunks(string text, bool truncate, List<string> warnings)
    {
        var (tokens, room) = (_prompts.Encode(text), _length - 2);
        if (!truncate || tokens.Count <= room)
            return PromptTokenizer.Chunks(tokens, room);
        warnings.Add($"The text encoder reads {room} tokens of a prompt; this part was cut off: \"{_prompts.Decode(tokens.Skip(room))}\".");
        return [tokens.GetRange(0, room)];
    }

    private Tensor Encode(List<List<List<PromptToken>>> prompts, int count, int clipSkip)   // → [B, count·L, D]
    {
        var device = _model.Device;
        var rows = prompts.Count * count;
        var ids = new long[rows * _length];
        var weights = new float[rows * _length];
        Array.Fill(ids, _tokenizer.PadId);
        Array.Fill(weights, 1);
        for (var row = 0; row < rows; row++)
        {
            var chunks = prompts[row / count];
            List<PromptToken> chunk = row % count < chunks.Count ? chunks[row % count] : [];
            var at = row * _length;
            ids[at] = _tokenizer.BeginId;
            foreach (var token in chunk)
                (ids[++at], weights[at]) = (token.Id, token.Weight);
            ids[at + 1] = _tokenizer.EndId;
        }
        var added = _inversions.Count == 0 ? null : cat([.. _inversions.Select(inversion => inversion.Vectors)]).to(device);   // [N, D]
        var hidden = _model.call(tensor(ids, [rows, _length], device: device), clipSkip, added);                               // [B·count, L, D]
        if (weights.Any(weight => weight != 1))
            hidden = Weigh(hidden, tensor(weights, [rows, _length, 1], device: device));
        return hidden.reshape(prompts.Count, count * _length, -1);
    }

    private static Tensor Weigh(Tensor hidden, Tensor weights)   // [B, L, D], [B, L, 1]
    {
        var weighted = hidden.to(ScalarType.Float32) * weights;
        var (before, after) = (hidden.mean([1, 2], keepdim: true, ScalarType.Float32), weighted.mean([1, 2], keepdim: true));
        weighted = where(after.EqualTo(0), weighted, weighted * (before / after));
        return where(weights.EqualTo(1).all(1, keepdim: true), hidden, weighted.to(hidden.dtype));   // rows without weights stay exactly as they were
    }
}
