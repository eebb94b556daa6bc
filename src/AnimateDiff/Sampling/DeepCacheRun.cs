using AnimateDiff.Denoising;

namespace AnimateDiff.Sampling;

/// <summary>The deep features of one generation: those of guidance's halves and of the perturbed branch apart, where they are computed apart.</summary>
internal sealed class DeepCacheRun(DeepCache settings) : IDisposable
{
    private readonly Dictionary<(long Clips, bool Negative, bool Perturbed), DeepFeatures> _branches = [];

    /// <summary>The run of a request, or null where every step is a whole one.</summary>
    public static DeepCacheRun? Of(GenerationRequest request) => request.DeepCache is { IsOn: true } settings ? new(settings) : null;

    /// <summary>Begins a step; at the begin of an interval everything is computed anew.</summary>
    /// <param name="step">Number of the step among those of the run, from 0.</param>
    public void Begin(int step)
    {
        if (step % settings.Interval != 0)
            return;
        foreach (var branch in _branches.Values)
            branch.Clear();
    }

    /// <summary>What is kept for a call: nothing, where the same clips have not been computed in this interval, as where guidance has just begun or ended.</summary>
    public DeepFeatures For(long clips, bool negative, bool perturbed)
    {
        if (!_branches.TryGetValue((clips, negative, perturbed), out var branch))
            _branches.Add((clips, negative, perturbed), branch = new(settings.Skips));
        return branch;
    }

    public void Dispose()
    {
        foreach (var branch in _branches.Values)
            branch.Dispose();
    }
}
