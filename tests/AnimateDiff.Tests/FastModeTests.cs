namespace AnimateDiff.Tests;

/// <summary>What <c>--fast</c> chooses.</summary>
public class FastModeTests
{
    private static readonly GenerationRequest _plain = new("a");

    [Fact]
    public void It_chooses_what_is_not_chosen_and_says_so()
    {
        var (fast, sentence) = FastMode.Apply(_plain);
        fast.Validate();
        Assert.True(fast.Steps < _plain.Steps && fast.Scheduler != _plain.Scheduler && fast.GuidanceInterval is not null);
        foreach (var part in new[] { $"--scheduler {fast.Scheduler}", $"--steps {fast.Steps}", "--guidance-interval 0-" })
            Assert.Contains(part, sentence);

        var mine = _plain with { Scheduler = "euler", Steps = 30, GuidanceInterval = new(0.1, 0.2) };
        var (kept, nothing) = FastMode.Apply(mine, new(Scheduler: true, Steps: true, GuidanceInterval: true));
        Assert.Equal(mine, kept);
        Assert.Contains("nothing is left to choose", nothing);
        Assert.Equal((25, "euler"), (FastMode.Apply(_plain with { Scheduler = "euler" }, new(Scheduler: true)).Request is var own ? (own.Steps, own.Scheduler) : default));
        Assert.Equal(9, FastMode.Apply(_plain with { Steps = 9 }, new(Steps: true)).Request.Steps);
    }

    [Fact]
    public void It_leaves_out_what_does_not_go_with_the_rest()
    {
        var options = new Dictionary<string, string> { ["beta_start"] = "0.001" };                           // belong to the sampler that is there
        Assert.Equal((25, "ddim"), (FastMode.Apply(_plain with { SchedulerOptions = options }).Request is var own ? (own.Steps, own.Scheduler) : default));
        var (unguided, _) = FastMode.Apply(_plain with { GuidanceScale = 1 });
        unguided.Validate();
        Assert.Null(unguided.GuidanceInterval);
        Assert.Contains("nothing is left", FastMode.Apply(_plain with { Scheduler = "lcm", Steps = 6, GuidanceScale = 1 }, new(Scheduler: true, Steps: true)).Sentence);
    }
}
