using System.Globalization;

namespace AnimateDiff;

/// <summary>Settings that the user has chosen, which a preset leaves as they are.</summary>
/// <param name="Scheduler">Whether the sampler is.</param>
/// <param name="Steps">Whether the number of steps is.</param>
/// <param name="GuidanceInterval">Whether the guided steps are.</param>
public readonly record struct ChosenSettings(bool Scheduler = false, bool Steps = false, bool GuidanceInterval = false);

/// <summary>The settings of <c>--fast</c>; <c>docs/speed.md</c> has what they cost.</summary>
public static class FastMode
{
    private const string Sampler = "dpmpp-2m";
    private const int Steps = 12;

    private static readonly GuidanceInterval Guided = new(0, 0.8);

    /// <summary>
    /// A request with fewer steps of a better sampler and guidance in a part of them, where these are not chosen already and go with the rest. Steps that are chosen by
    /// number or by sampler stay as many. Deep-feature caching is not among them: for the same time, fewer steps are nearer to the exact clip.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="chosen">What the user has chosen.</param>
    /// <returns>The request, and one sentence that says what was set.</returns>
    public static (GenerationRequest Request, string Sentence) Apply(GenerationRequest request, ChosenSettings chosen = default)
    {
        var set = new List<string>();
        if (!chosen.Scheduler && request.SchedulerOptions.Count == 0)
        {
            request = request with { Scheduler = Sampler };
            set.Add($"--scheduler {Sampler}");
            if (!chosen.Steps)
            {
                request = request with { Steps = Steps };
                set.Add($"--steps {Steps}");
            }
        }
        if (!chosen.GuidanceInterval && request.IsGuided)
        {
            request = request with { GuidanceInterval = Guided };
            set.Add(string.Create(CultureInfo.InvariantCulture, $"--guidance-interval {Guided.Start}-{Guided.End}"));
        }
        return (request, $"--fast: {(set.Count == 0 ? "nothing is left to choose" : string.Join(' ', set))}. An approximation: docs/speed.md has what it costs.");
    }
}
