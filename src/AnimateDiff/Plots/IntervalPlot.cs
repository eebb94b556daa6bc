namespace AnimateDiff.Plots;

/// <summary>A small plot of one number for several things.</summary>
/// <param name="Title">What the number is.</param>
/// <param name="Values">Value and ends of its interval for each of the things; NaN where there is none.</param>
internal sealed record IntervalPanel(string Title, IReadOnlyList<(double Value, double Low, double High)> Values);

/// <summary>Plots of several numbers, each with an axis of its own, for the same things side by side: dots with their intervals.</summary>
internal static class IntervalPlot
{
    private const int Across = 3;
    private const double PanelWidth = 340, PanelHeight = 240, Head = 44, Row = 26, Margin = 20;

    /// <summary>Draws the panels in rows of three, and which colour is whose below them.</summary>
    /// <param name="path">The PNG; replaced when it exists.</param>
    /// <param name="names">Names of the things.</param>
    /// <param name="panels">The panels, each with a value for each name.</param>
    /// <exception cref="FileException">The place cannot be written to.</exception>
    public static void Write(string path, IReadOnlyList<string> names, IReadOnlyList<IntervalPanel> panels) => Draw(names, panels).Write(path);

    /// <summary>The picture that <see cref="Write"/> writes.</summary>
    internal static Canvas Draw(IReadOnlyList<string> names, IReadOnlyList<IntervalPanel> panels)
    {
        var rows = (panels.Count + Across - 1) / Across;
        var canvas = new Canvas((int)(Across * PanelWidth + Margin), (int)(rows * PanelHeight + names.Count * Row + 2 * Margin));
        foreach (var (index, panel) in panels.Index())
            Panel(canvas, panel, index % Across * PanelWidth, index / Across * PanelHeight);
        foreach (var (index, name) in names.Index())
        {
            var y = rows * PanelHeight + Margin + (index + 0.5) * Row;
            canvas.Dot(2 * Margin, y, 6, Ink.Of(index));
            canvas.Text(2 * Margin + 16, y, name, PlotFrame.Size);
        }
        return canvas;
    }

    private static void Panel(Canvas canvas, IntervalPanel panel, double left, double top)
    {
        var axis = Axis.Linear([.. panel.Values.SelectMany(value => new[] { value.Value, value.Low, value.High })], 5);
        var area = new Area(left + Margin + 8 + PlotFrame.TickWidth(axis), top + Head, left + PanelWidth - 4, top + PanelHeight - 10);
        canvas.Text((area.Left + area.Right) / 2, top + Head / 2, panel.Title, PlotFrame.Size, Anchor.Centre, bold: true);
        foreach (var (value, text) in axis.Ticks)
        {
            canvas.Line([(area.Left, Height(value)), (area.Right, Height(value))], 1, Ink.Grid);
            canvas.Text(area.Left - 8, Height(value), text, PlotFrame.Size - 2, Anchor.Right);
        }
        foreach (var (index, (value, low, high)) in panel.Values.Index())
        {
            if (!double.IsFinite(value))
                continue;
            var x = area.Left + (index + 0.5) * area.Width / panel.Values.Count;
            var ink = Ink.Of(index);
            canvas.Line([(x, Height(low)), (x, Height(high))], 3, ink);
            canvas.Dot(x, Height(value), 6, ink);
        }
        PlotFrame.Border(canvas, area);

        double Height(double value) => area.Bottom - axis.Position(value) * area.Height;
    }
}
