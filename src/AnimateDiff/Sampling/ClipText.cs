using AnimateDiff.Denoising;
using AnimateDiff.Layers;

namespace AnimateDiff.Sampling;

/// <summary>
/// A clip's text as the layers of one network attend to it. Keys and values are made once, except where they change over a clip that is seen in windows: there
/// they are made for the frames of each window, since those of all frames would take megabytes a frame.
/// </summary>
internal sealed class ClipText : IDisposable
{
    private readonly PromptTravel _prompts;
    private readonly Func<Tensor, long[]?, TextContext> _prepare;
    private readonly IReadOnlyList<(Attention Layer, WeightedContext Pictures)> _pictures;
    private TextContext? _whole;
    private readonly long _frames;

    /// <param name="prompts">The text; not disposed here.</param>
    /// <param name="frames">F</param>
    /// <param name="byWindow">Whether keys and values are made for each window.</param>
    /// <param name="prepare">Keys and values of embeddings [M, L, D] of some frames, or null for all, for all layers of the network.</param>
    /// <param name="pictures">What layers attend to beside the text; taken over.</param>
    public ClipText(PromptTravel prompts, long frames, bool byWindow, Func<Tensor, long[]?, TextContext> prepare, IReadOnlyList<(Attention, WeightedContext)>? pictures = null)
    {
        (_prompts, _frames, _prepare, _pictures) = (prompts, frames, prepare, pictures ?? []);
        if (!byWindow)
            _whole = Prepare(null);
    }

    /// <summary>The text of a call, which the caller disposes.</summary>
    /// <param name="clips">Clips in it: all of them, or with guidance the positive half alone.</param>
    /// <param name="window">The frames in it; null for all.</param>
    /// <param name="negative">Whether it is the negative half alone.</param>
    public TextContext At(long clips, long[]? window, bool negative = false)
    {
        if (_whole is not null)
        {
            using var rows = Half(_whole, clips, negative);
            return rows.Of(window, clips, _frames);
        }
        using var own = Prepare(window);
        return Half(own, clips, negative);
    }

    /// <summary>Makes keys and values again, with other weights of the network.</summary>
    public void Renew()
    {
        if (_whole is null)
            return;
        _whole.Dispose();
        _whole = Prepare(null);
    }

    public void Dispose()
    {
        _whole?.Dispose();
        foreach (var (_, pictures) in _pictures)
            pictures.Dispose();
    }

    // The negative prompts come first.
    private TextContext Half(TextContext all, long clips, bool negative)
    {
        var count = all.Rows / _prompts.Clips * clips;
        return all.Slice(negative ? 0 : all.Rows - count, count);
    }

    private TextContext Prepare(long[]? frames)
    {
        using var embeddings = _prompts.Embeddings(frames);
        var context = _prepare(embeddings, frames);
        foreach (var (layer, pictures) in _pictures)
            context.Add(layer, pictures.Of(frames));
        return context;
    }
}
