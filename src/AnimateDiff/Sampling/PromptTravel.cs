using AnimateDiff.Text;

namespace AnimateDiff.Sampling;

/// <summary>
/// A prompt that changes over a clip: between two frames with a prompt of their own the embeddings are mixed linearly, (1 − α)·a + α·b, and after the last
/// one it stays. The same numbers as diffusers' FreeNoise (<c>_encode_prompt_free_noise</c>) mixes, here for clips of any kind.
/// </summary>
internal static class PromptTravel
{
    /// <summary>Encodes a request's prompts: one row for each clip, or where the prompt changes one for each frame, [B·F, L, D].</summary>
    public static EncodedPrompts Encode(PromptEncoder encoder, GenerationRequest request, int frames)
    {
        var negative = request.IsGuided ? request.NegativePrompts : null;
        if (request.PromptsAt.Count == 0)
            return encoder.Encode(request.Prompts, negative, request.ClipSkip, request.Truncate);

        using var scope = NewDisposeScope();
        PromptAt[] later = [.. request.PromptsAt.OrderBy(prompt => prompt.Frame)];
        var (clips, keys) = (request.Prompts.Count, later.Length + 1);
        string[] texts = [.. request.Prompts.SelectMany(prompt => later.Select(at => at.Text).Prepend(prompt))];
        if (negative is { Count: > 1 })
            negative = [.. negative.SelectMany(text => Enumerable.Repeat(text, keys))];
        using var encoded = encoder.Encode(texts, negative, request.ClipSkip, request.Truncate);

        var weights = tensor(Weights([0, .. later.Select(prompt => prompt.Frame)], frames), [frames, keys], device: encoded.Positive.device);
        var states = encoded.Positive.to(ScalarType.Float32).unflatten(0, clips, keys).flatten(2);                            // [B, K, L·D]
        var positive = weights.matmul(states).reshape(clips * frames, encoded.Positive.shape[1], -1).to(encoded.Positive.dtype);   // [B·F, L, D]
        var still = encoded.Negative?.unflatten(0, clips, keys).narrow(1, 0, 1).expand(clips, frames, -1, -1).flatten(0, 1);   // [B·F, L, D]
        return new EncodedPrompts(positive.MoveToOuterDisposeScope(), still?.MoveToOuterDisposeScope(), [.. encoded.Warnings.Distinct()]);
    }

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
