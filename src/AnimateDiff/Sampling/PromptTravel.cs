using AnimateDiff.Text;

namespace AnimateDiff.Sampling;

/// <summary>
/// A request's prompts, which may change over the clip: between two frames with a prompt of their own the embeddings are mixed linearly, (1 − α)·a + α·b, and
/// after the last one it stays. The same numbers as diffusers' FreeNoise (<c>_encode_prompt_free_noise</c>) mixes, here for clips of any kind.
/// </summary>
internal sealed class PromptTravel : IDisposable
{
    private readonly EncodedPrompts _prompts;                               // positive [B·K, L, D], negative [B, L, D]
    private readonly float[] _weights;                                      // [F, K], the share of each prompt in each frame
    private readonly int _keys;

    private PromptTravel(EncodedPrompts prompts, float[] weights, int keys) => (_prompts, _weights, _keys) = (prompts, weights, keys);

    /// <summary>Whether the text changes from frame to frame.</summary>
    public bool Travels => _keys > 1;

    /// <summary>Clips in a call of the UNet, 2·B with guidance.</summary>
    public long Clips => _prompts.Positive.shape[0] / _keys * (_prompts.Negative is null ? 1 : 2);

    /// <summary>What the user should know.</summary>
    public IReadOnlyList<string> Warnings => _prompts.Warnings;

    /// <summary>Encodes the prompts of a clip of so many frames.</summary>
    public static PromptTravel Encode(PromptEncoder encoder, GenerationRequest request, int frames)
    {
        var negative = request.IsGuided ? request.NegativePrompts : null;
        if (request.PromptsAt.Count == 0)
            return new PromptTravel(encoder.Encode(request.Prompts, negative, request.ClipSkip, request.Truncate), [], 1);

        using var scope = NewDisposeScope();
        PromptAt[] later = [.. request.PromptsAt.OrderBy(prompt => prompt.Frame)];
        var (clips, keys) = (request.Prompts.Count, later.Length + 1);
        string[] texts = [.. request.Prompts.SelectMany(prompt => later.Select(at => at.Text).Prepend(prompt))];
        if (negative is { Count: > 1 })
            negative = [.. negative.SelectMany(text => Enumerable.Repeat(text, keys))];
        using var encoded = encoder.Encode(texts, negative, request.ClipSkip, request.Truncate);
        var still = encoded.Negative?.unflatten(0, clips, keys).select(1, 0).clone();                                          // [B, L, D]
        return new PromptTravel(
            new EncodedPrompts(encoded.Positive.alias().MoveToOuterDisposeScope(), still?.MoveToOuterDisposeScope(), [.. encoded.Warnings.Distinct()]),
            Weights([0, .. later.Select(prompt => prompt.Frame)], frames), keys);
    }

    /// <summary>
    /// What is attended to, with guidance the negative half first as the references stack them: [2·B, L, D], or where the prompt changes a row for each frame,
    /// [2·B·n, L, D].
    /// </summary>
    /// <param name="frames">The n frames; null for all.</param>
    public Tensor Embeddings(long[]? frames)
    {
        using var scope = NewDisposeScope();
        var (positive, negative) = (_prompts.Positive, _prompts.Negative);
        if (Travels)
        {
            var weights = torch.tensor(_weights, device: positive.device).view(-1, _keys);                                     // [F, K]
            if (frames is not null)
                weights = weights.index_select(0, torch.tensor(frames, device: positive.device));
            var states = positive.to(ScalarType.Float32).unflatten(0, -1, _keys).flatten(2);                                   // [B, K, L·D]
            positive = weights.matmul(states).flatten(0, 1).view(-1, positive.shape[1], positive.shape[2]).to(positive.dtype); // [B·n, L, D]
            negative = negative?.repeat_interleave(weights.shape[0], 0);
        }
        return (negative is null ? positive.alias() : cat([negative, positive])).MoveToOuterDisposeScope();
    }

    public void Dispose() => _prompts.Dispose();

    /// <summary>The share of each key in each frame, [F, K].</summary>
    /// <param name="keys">Frames of the keys, ascending, the first being 0.</param>
    /// <param name="frames">F.</param>
    internal static float[] Weights(IReadOnlyList<int> keys, int frames)
    {
        var weights = new float[frames * keys.Count];
        var key = 0;
        for (var frame = 0; frame < frames; frame++)
        {
            if (key + 1 < keys.Count && frame == keys[key + 1])
                key++;
            var share = key + 1 < keys.Count ? (frame - keys[key]) / (double)(keys[key + 1] - keys[key]) : 0;
            weights[frame * keys.Count + key] = (float)(1 - share);
            if (share > 0)
                weights[frame * keys.Count + key + 1] = (float)share;
        }
        return weights;
    }

    /// <summary>Refuses what does not go with the number of frames, or with each other.</summary>
    /// <exception cref="RequestException">A frame is outside the clip or has two prompts, or it is the first, which has the prompt itself.</exception>
    public static void Check(IReadOnlyList<PromptAt> prompts, int frames)
    {
        foreach (var prompt in prompts)
            if (prompt.Frame < 1 || prompt.Frame >= frames)
                throw new RequestException(prompt.Frame == 0
                    ? $"\"{prompt.Text}\" is asked for at frame 0, where the prompt itself is: give it as the prompt."
                    : $"\"{prompt.Text}\" is asked for at frame {prompt.Frame}; the clip has {frames} frames, so that expected is 1 to {frames - 1}.");
        if (prompts.GroupBy(prompt => prompt.Frame).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new RequestException($"Frame {twice.Key} has {twice.Count()} prompts: give one.");
    }
}
