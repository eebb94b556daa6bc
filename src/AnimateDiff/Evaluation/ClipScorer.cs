using AnimateDiff.ImagePrompts;
using AnimateDiff.Text;
using AnimateDiff.Video;
using AnimateDiff.Vision;
using AnimateDiff.Weights;

namespace AnimateDiff.Evaluation;

/// <summary>
/// Scores of frames by a CLIP model (Radford et al., 2021), as in the AnimateDiff paper (Guo et al., 2023, section 5.2): 100 times the mean cosine of what CLIP
/// makes of pictures and texts. Numbers of different CLIP models do not compare.
/// </summary>
internal sealed class ClipScorer : IDisposable
{
    private const int Together = 16;                                        // frames

    private readonly ClipVisionModel _vision;
    private readonly ClipTextModel _text;
    private readonly Tensor _projection;                                    // [P, D]
    private readonly ITokenizer _tokenizer;
    private readonly Device _device;

    private ClipScorer(ClipVisionModel vision, ClipTextModel text, Tensor projection, ITokenizer tokenizer, Device device)
        => (_vision, _text, _projection, _tokenizer, _device) = (vision, text, projection, tokenizer, device);

    /// <summary>Loads the folder of a whole CLIP model as transformers writes it: <c>config.json</c>, weights and the tokenizer's files.</summary>
    /// <param name="folder">The folder, such as a copy of openai/clip-vit-large-patch14.</param>
    /// <param name="device">Where to compute, in fp32.</param>
    /// <param name="tokenizer">The tokenizer; null for the folder's.</param>
    /// <exception cref="FileException">The folder is missing, damaged, or holds something else.</exception>
    public static ClipScorer Load(string folder, Device device, ITokenizer? tokenizer = null)
    {
        if (!Directory.Exists(folder))
            throw new FileException(folder, $"'{folder}' is no folder; scores of texts and pictures need a whole CLIP model, such as openai/clip-vit-large-patch14.");
        using var file = ModelFolder.Open(folder);
        var kind = ModelDetection.Detect(file);
        if (kind.Kind != CheckpointKind.Clip || !file.TryGetValue("text_projection.weight", out var projection))
            throw new FileException(folder, $"{folder} is {KindSentences.Short(kind)}; scores need a whole CLIP model, with its text and its vision part and both projections, such as openai/clip-vit-large-patch14.");
        tokenizer ??= ClipTokenizer.Load(folder);
        var vision = ImagePromptLoader.Encoder(folder, ScalarType.Float32, device);
        ClipTextModel? text = null;
        try
        {
            text = new ClipTextModel(ClipTextConfig.Read(Path.Combine(folder, "config.json")), META);
            ModuleWeights.Load(text, file.Select(TextName), "CLIP text encoder", ScalarType.Float32, device);
            text.eval();
            using var scope = NewDisposeScope();
            var matrix = projection.Read().to(ScalarType.Float32, device);
            if (!matrix.shape.SequenceEqual([vision.Config.ProjectionDim, text.Config.HiddenSize]))
                throw new FileException(folder, $"{folder}: text_projection.weight is [{string.Join(", ", matrix.shape)}], expected [{vision.Config.ProjectionDim}, {text.Config.HiddenSize}]; "
                    + "the weights and config.json are of different models, get the folder again.");
            return new ClipScorer(vision, text, matrix.DetachFromDisposeScope(), tokenizer, device);
        }
        catch
        {
            vision.Dispose();
            text?.Dispose();
            throw;
        }

        static string? TextName(string name) => name.StartsWith("text_model.", StringComparison.Ordinal) && !name.EndsWith("position_ids", StringComparison.Ordinal) ? name : null;
    }

    /// <summary>The frames' vectors of length 1, [F, P]; the caller's to dispose.</summary>
    public Tensor Frames(VideoFrames clip, CancellationToken cancellationToken = default)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var parts = new List<Tensor>();
        foreach (var chunk in Enumerable.Range(0, clip.Frames).Select(frame => (long)frame).Chunk(Together))
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var part = NewDisposeScope();
            var pictures = ClipPictures.Prepare(clip.Select(chunk), _vision.Config.ImageSize).to(_device);      // [f, 3, S, S]
            parts.Add(nn.functional.normalize(_vision.call(pictures), dim: 1).MoveToOuterDisposeScope());
        }
        return cat([.. parts]).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// A text's vector of length 1, [1, P]; the caller's to dispose. Of a prompt's weights nothing is read but the words, and of its tokens as many as CLIP has places for.
    /// </summary>
    public Tensor Text(string prompt)
    {
        var words = string.Concat(PromptWeights.Parse(prompt).Select(piece => piece.Text));
        var length = Math.Min(_tokenizer.MaxLength, _text.Config.MaxPositionEmbeddings);
        long[] tokens = [_tokenizer.BeginId, .. _tokenizer.Encode(words).Take(length - 2).Select(id => (long)id), _tokenizer.EndId];
        if (tokens.Max() >= _text.Config.VocabSize)
            throw new RequestException($"The tokenizer gives the id {tokens.Max()}, and the CLIP text encoder knows {_text.Config.VocabSize} ids; take the tokenizer that belongs to it.");
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var ids = tensor([.. tokens, .. Enumerable.Repeat((long)_tokenizer.PadId, length - tokens.Length)], [1, length], device: _device);
        var pooled = _text.Pool(_text.call(ids, 0, null), ids);                                                // [1, D]
        return nn.functional.normalize(nn.functional.linear(pooled, _projection), dim: 1).MoveToOuterDisposeScope();
    }

    /// <summary>100 · the mean of cos(frame, other) over all frames and all others: texts give the paper's text score, reference pictures its domain similarity.</summary>
    /// <param name="frames">[F, P]</param>
    /// <param name="others">[N, P]</param>
    public static double Similarity(Tensor frames, Tensor others)
    {
        using var scope = NewDisposeScope();
        return 100 * frames.matmul(others.t()).to(ScalarType.Float64).mean().item<double>();                   // [F, N]
    }

    /// <summary>The paper's smoothness: 100 · the mean of cos(frameᵢ, frameᵢ₊₁); null for a single frame.</summary>
    /// <param name="frames">[F, P]</param>
    public static double? Smoothness(Tensor frames)
    {
        var count = frames.shape[0];
        if (count < 2)
            return null;
        using var scope = NewDisposeScope();
        return 100 * (frames.narrow(0, 0, count - 1) * frames.narrow(0, 1, count - 1)).sum(1).to(ScalarType.Float64).mean().item<double>();
    }

    public void Dispose()
    {
        _vision.Dispose();
        _text.Dispose();
        _projection.Dispose();
    }
}
