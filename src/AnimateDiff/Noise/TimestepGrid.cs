namespace AnimateDiff.Noise;

/// <summary>Which training timesteps the steps fall on, largest first (Lin et al. 2023, table 2).</summary>
internal static class TimestepGrid
{
    /// <summary>One timestep per step, both ends included. Linspace gives fractions unless <paramref name="whole"/>.</summary>
    public static double[] Uniform(SchedulerSetup setup, bool whole)
    {
        var (options, steps) = (setup.Options, setup.Steps);
        var train = options.NumTrainTimesteps;
        return Checked(setup, options.TimestepSpacing switch
        {
            TimestepSpacing.Linspace => Spread(train - 1, steps, whole),
            TimestepSpacing.Leading => Multiples(train / steps, steps, options.StepsOffset),
            _ => Trailing(train, steps, train),
        });
    }

    /// <summary>For solvers that integrate down to a noise level of their own: the smallest of steps + 1 timesteps is left out.</summary>
    /// <param name="setup">Options and steps.</param>
    /// <param name="end">One more than the largest timestep to use.</param>
    public static double[] WithoutLast(SchedulerSetup setup, int end)
    {
        var (options, steps) = (setup.Options, setup.Steps);
        return Checked(setup, options.TimestepSpacing switch
        {
            TimestepSpacing.Linspace => Spread(end - 1, steps + 1, whole: true)[..steps],
            TimestepSpacing.Leading => Multiples(end / (steps + 1), steps + 1, options.StepsOffset)[..steps],
            _ => Trailing(end, steps, options.NumTrainTimesteps),
        });
    }

    private static double[] Spread(int last, int count, bool whole)
    {
        var step = (double)last / Math.Max(count - 1, 1);
        var grid = new double[count];
        for (var i = 0; i < count; i++)
            grid[count - 1 - i] = whole ? Math.Round(i * step) : (float)(i * step);
        if (count > 1)
            grid[0] = last;
        return grid;
    }

    private static double[] Multiples(int ratio, int count, int offset)
        => [.. Enumerable.Range(0, count).Select(i => (double)((count - 1 - i) * ratio + offset))];

    private static double[] Trailing(int end, int steps, int train)
    {
        // the increment a floating-point range has after its first element; halves must round as they do in diffusers
        var increment = end - (double)train / steps - end;
        return [.. Enumerable.Range(0, steps).Select(i => Math.Round(end + i * increment) - 1).TakeWhile(timestep => timestep >= 0)];
    }

    private static double[] Checked(SchedulerSetup setup, double[] grid)
    {
        if (grid[0] >= setup.Options.NumTrainTimesteps)
        {
            throw new RequestException(
                $"{setup.Steps} steps with steps_offset = {setup.Options.StepsOffset} reach timestep {grid[0]}; "
                + $"expected at most {setup.Options.NumTrainTimesteps - 1}: take fewer steps or another timestep_spacing.");
        }
        return grid;
    }
}
