namespace AnimateDiff.Plots;

/// <summary>What plots have around their data: title, y axis, border, legend.</summary>
internal static class PlotFrame
{
    /// <summary>Size of the text.</summary>
    public const double Size = 17;

    /// <summary>Room above the data.</summary>
    public const int Top = 52;

    /// <summary>Room for the y axis' label.</summary>
    public const double LabelWidth = 52;

    private const double Swatch = 22;
    private const double Row = 24;

    public static void Title(Canvas canvas, string title) => canvas.Text(canvas.Width / 2.0, 26, title, 20, Anchor.Centre, bold: true);

    /// <summary>Room for the labels of an axis.</summary>
    public static double TickWidth(Axis axis) => axis.Ticks.Select(tick => Canvas.TextWidth(tick.Label, Size)).DefaultIfEmpty().Max();

    /// <summary>Room right of the data for a legend; a single curve needs none, the y axis' label names it.</summary>
    public static double LegendWidth(IReadOnlyCollection<string> names) => names.Count < 2 ? 24 : names.Max(name => Canvas.TextWidth(name, Size)) + Swatch + 36;

    public static void YAxis(Canvas canvas, Area area, Axis axis, string label)
    {
        foreach (var (value, text) in axis.Ticks)
        {
            var at = area.Bottom - axis.Position(value) * area.Height;
            canvas.Line([(area.Left, at), (area.Right, at)], 1, Ink.Grid);
            canvas.Text(area.Left - 9, at, text, Size, Anchor.Right);
        }
        canvas.Text(22, (area.Top + area.Bottom) / 2, label, Size, Anchor.Centre, vertical: true);
    }

    public static void Border(Canvas canvas, Area area)
        => canvas.Line([(area.Left, area.Top), (area.Right, area.Top), (area.Right, area.Bottom), (area.Left, area.Bottom), (area.Left, area.Top)], 1, Ink.Text with { Alpha = 0.6 });

    /// <summary>Names and colours right of the data; nothing for a single one.</summary>
    public static void Legend(Canvas canvas, Area area, IReadOnlyList<(string Name, Ink Ink)> entries)
    {
        if (entries.Count < 2)
            return;
        for (var index = 0; index < entries.Count; index++)
        {
            var (left, y) = (area.Right + 14, area.Top + 10 + index * Row);
            canvas.Line([(left + 2, y), (left + Swatch - 4, y)], 4, entries[index].Ink);
            canvas.Text(left + Swatch + 4, y, entries[index].Name, Size);
        }
    }
}
