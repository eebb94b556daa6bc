namespace AnimateDiff.Plots;

/// <summary>Bars that stand together.</summary>
/// <param name="Name">What is below them; blanks may become line ends.</param>
/// <param name="Values">A value for each series; NaN is no bar.</param>
internal sealed record BarGroup(string Name, IReadOnlyList<double> Values);

/// <summary>Plots of bars in groups, with the values above them.</summary>
internal static class BarPlot
{
    private const double Size = PlotFrame.Size;

    /// <summary>Draws groups of bars in a plot of 1000 × 600 pixels.</summary>
    /// <param name="path">The PNG; replaced when it exists.</param>
    /// <param name="title">Title.</param>
    /// <param name="yLabel">What the bars' height is.</param>
    /// <param name="series">Names of the bars of a group, for the legend.</param>
    /// <param name="groups">The groups from left to right, each with a value for each series.</param>
    /// <exception cref="FileException">The place cannot be written to.</exception>
    public static void Write(string path, string title, string yLabel, IReadOnlyList<string> series, IReadOnlyList<BarGroup> groups) => Draw(title, yLabel, series, groups).Write(path);

    /// <summary>The picture that <see cref="Write"/> writes.</summary>
    internal static Canvas Draw(string title, string yLabel, IReadOnlyList<string> series, IReadOnlyList<BarGroup> groups)
    {
        var canvas = new Canvas(1000, 600);
        PlotFrame.Title(canvas, title);
        var axis = Axis.Linear([0, .. groups.SelectMany(group => group.Values)], 7);
        var slots = canvas.Width - PlotFrame.LegendWidth([.. series]) - PlotFrame.LabelWidth - PlotFrame.TickWidth(axis);
        string[][] names = [.. groups.Select(group => Wrap(group.Name, slots / groups.Count - 8))];
        var area = new Area(PlotFrame.LabelWidth + PlotFrame.TickWidth(axis), PlotFrame.Top, canvas.Width - PlotFrame.LegendWidth([.. series]),
            canvas.Height - 28 - 20 * names.Select(lines => lines.Length).DefaultIfEmpty(1).Max());
        PlotFrame.YAxis(canvas, area, axis, yLabel);
        var slot = area.Width / groups.Count;
        var width = slot * 0.8 / series.Count;
        var decimals = Decimals(groups.SelectMany(group => group.Values));
        double Height(double value) => area.Bottom - axis.Position(value) * area.Height;
        for (var group = 0; group < groups.Count; group++)
        {
            for (var bar = 0; bar < series.Count; bar++)
            {
                var value = groups[group].Values[bar];
                if (!double.IsFinite(value))
                    continue;
                var left = area.Left + (group + 0.1) * slot + bar * width;
                canvas.Fill(new Area(left + 1, Height(Math.Max(value, 0)), left + width - 1, Height(Math.Min(value, 0))), Ink.Of(bar));
                var label = value.ToString($"F{decimals}");
                var size = Math.Min(Size - 2, (Size - 2) * (slot / series.Count - 3) / Canvas.TextWidth(label, Size - 2));
                canvas.Text(left + width / 2, value < 0 ? Height(value) + 11 : Height(value) - 11, label, size, Anchor.Centre);
            }
            for (var line = 0; line < names[group].Length; line++)
                canvas.Text(area.Left + (group + 0.5) * slot, area.Bottom + 20 + 20 * line, names[group][line], Size, Anchor.Centre);
        }
        canvas.Line([(area.Left, Height(0)), (area.Right, Height(0))], 1, Ink.Text);
        PlotFrame.Border(canvas, area);
        PlotFrame.Legend(canvas, area, [.. series.Select((name, index) => (name, Ink.Of(index)))]);
        return canvas;
    }

    /// <summary>As many decimals as show three digits of the largest value.</summary>
    private static int Decimals(IEnumerable<double> values)
    {
        var largest = values.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty().Max();
        return largest == 0 ? 0 : Math.Clamp(2 - (int)Math.Floor(Math.Log10(largest)), 0, 6);
    }

    /// <summary>A text in lines of a width where its words allow it.</summary>
    private static string[] Wrap(string text, double width)
    {
        var lines = new List<string> { "" };
        foreach (var word in text.Split(' '))
            if (lines[^1].Length == 0 || Canvas.TextWidth($"{lines[^1]} {word}", Size) <= width)
                lines[^1] = lines[^1].Length == 0 ? word : $"{lines[^1]} {word}";
            else
                lines.Add(word);
        return [.. lines];
    }
}
