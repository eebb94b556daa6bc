using AnimateDiff.Noise.Samplers;

namespace AnimateDiff.Noise;

/// <summary>Every sampler, in the order they are listed. A new one is a file in Samplers/ and a line here.</summary>
internal static class SchedulerCatalog
{
    public static readonly IReadOnlyList<SchedulerInfo> All =
    [
        DdimScheduler.Entry,
        EulerScheduler.Entry,
        EulerAncestralScheduler.Entry,
        DpmSolverMultistepScheduler.Entry,
        DpmSolverMultistepScheduler.KarrasEntry,
        DpmSolverMultistepScheduler.SdeKarrasEntry,
        DpmSolverSinglestepScheduler.Entry,
        UniPcScheduler.Entry,
        PndmScheduler.Entry,
        LmsScheduler.Entry,
        HeunScheduler.Entry,
        Kdpm2Scheduler.Entry,
        DdpmScheduler.Entry,
        LcmScheduler.Entry,
    ];

    public static SchedulerInfo Find(string name)
        => All.FirstOrDefault(info => info.Name == name)
            ?? throw new RequestException($"There is no scheduler '{name}'; choose one of {string.Join(", ", All.Select(info => info.Name))}.");

    public static SchedulerInfo OfClass(string diffusersClass)
        => All.FirstOrDefault(info => info.DiffusersClass == diffusersClass)
            ?? throw new RequestException(
                $"The scheduler configuration asks for diffusers' {diffusersClass}, which is not supported; "
                + $"choose one of {string.Join(", ", All.Select(info => info.Name))}.");
}
