namespace AnimateDiff.Plots;

/// <summary>A curve.</summary>
/// <param name="Name">Name in the legend.</param>
/// <param name="Points">Its points by ascending x; a y that is NaN interrupts it.</param>
internal sealed record PlotSeries(string Name, IReadOnlyList<(double X, double Y)> Points)
{
    /// <summary>Its colour; one of its own when null.</summary>
    public Ink? Ink { get; init; }

    /// <summary>Thickness in pixels.</summary>
    public double Thickness { get; init; } = 2;

    /// <summary>Pale, for numbers that scatter: the 2 % farthest out at either end may leave the plot.</summary>
    public bool Faint { get; init; }

    /// <summary>Shows the points as dots.</summary>
    public bool Dots { get; init; }
}

/// <summary>One of the plots that share a picture and its x axis.</summary>
/// <param name="YLabel">What is plotted.</param>
/// <param name="Series">The curves, later ones on top.</param>
internal sealed record LinePanel(string YLabel, IReadOnlyList<PlotSeries> Series)
{
    /// <summary>Logarithmic y axis: values that are not positive are gaps.</summary>
    public bool LogY { get; init; }

    /// <summary>Height as a part of the others'.</summary>
    public double Share { get; init; } = 1;
}

/// <summary>Plots of curves over numbers.</summary>
internal static class LinePlot
{
    private const double Size = PlotFrame.Size;

    /// <summary>Draws curves in one plot of 1000 × 600 pixels.</summary>
    /// <exception cref="FileException">The place cannot be written to.</exception>
    public static void Write(string path, string title, string xLabel, string yLabel, IReadOnlyList<PlotSeries> series, bool logY = false)
        => Write(path, title, xLabel, [new LinePanel(yLabel, series) { LogY = logY }]);

    /// <summary>Draws plots below each other, 1000 pixels wide.</summary>
    public static void Write(string path, string title, string xLabel, IReadOnlyList<LinePanel> panels) => Draw(title, xLabel, panels).Write(path);

    /// <summary>The picture that <see cref="Write(string, string, string, IReadOnlyList{LinePanel})"/> writes.</summary>
    internal static Canvas Draw(string title, string xLabel, IReadOnlyList<LinePanel> panels)
    {
        const double panelHeight = 480, between = 22;
        var heights = panels.Select(panel => panel.Share * panelHeight).ToArray();
        var canvas = new Canvas(1000, (int)(PlotFrame.Top + heights.Sum() + between * (panels.Count - 1) + 68));
        PlotFrame.Title(canvas, title);
        var axes = panels.Select(panel => panel.LogY ? Axis.Logarithmic(Values(panel)) : Axis.Linear(Values(panel), (int)Math.Max(2, panel.Share * 7))).ToArray();
        var names = panels.SelectMany(panel => panel.Series).Select(series => series.Name).ToArray();
        var left = PlotFrame.LabelWidth + axes.Max(axis => PlotFrame.TickWidth(axis));
        var right = canvas.Width - PlotFrame.LegendWidth(names);
        var x = Axis.Linear([.. panels.SelectMany(panel => panel.Series).SelectMany(series => series.Points).Select(point => point.X)], 8, tight: true);
        var top = (double)PlotFrame.Top;
        for (var index = 0; index < panels.Count; index++)
        {
            var area = new Area(left, top, right, top + heights[index]);
            Panel(canvas, area, panels[index], x, axes[index], last: index == panels.Count - 1);
            top = area.Bottom + between;
        }
        canvas.Text((left + right) / 2, canvas.Height - 18, xLabel, Size, Anchor.Centre);
        return canvas;
    }

    private static void Panel(Canvas canvas, Area area, LinePanel panel, Axis x, Axis y, bool last)
    {
        PlotFrame.YAxis(canvas, area, y, panel.YLabel);
        foreach (var (value, label) in x.Ticks)
        {
            var at = area.Left + x.Position(value) * area.Width;
            canvas.Line([(at, area.Top), (at, area.Bottom)], 1, Ink.Grid);
            if (last)
                canvas.Text(at, area.Bottom + 18, label, Size, Anchor.Centre);
        }
        PlotFrame.Border(canvas, area);
        for (var index = 0; index < panel.Series.Count; index++)
        {
            var series = panel.Series[index];
            var ink = series.Ink ?? Ink.Of(index);
            (double X, double Y)[] points = [.. series.Points.Select(point => (area.Left + x.Position(point.X) * area.Width, area.Bottom - y.Position(point.Y) * area.Height))];
            canvas.Line(Thin(points), series.Thickness, series.Faint ? ink with { Alpha = 0.25 } : ink, area);
            foreach (var point in points.Where((point, at) => double.IsFinite(point.X + point.Y) && (series.Dots || Alone(points, at))))
                canvas.Dot(point.X, point.Y, 1.2 + series.Thickness, ink, new Area(area.Left - 5, area.Top - 5, area.Right + 5, area.Bottom + 5));
        }
        PlotFrame.Legend(canvas, area, [.. panel.Series.Select((series, index) => (series.Name, series.Faint ? (series.Ink ?? Ink.Of(index)) with { Alpha = 0.4 } : series.Ink ?? Ink.Of(index)))]);
    }

    /// <summary>No line leads to such a point, so it needs a dot to be seen.</summary>
    private static bool Alone((double X, double Y)[] points, int at)
        => (at == 0 || double.IsNaN(points[at - 1].Y)) && (at == points.Length - 1 || double.IsNaN(points[at + 1].Y));

    /// <summary>Of many points within a pixel's width only the lowest and the highest: they look the same.</summary>
    private static IReadOnlyList<(double X, double Y)> Thin((double X, double Y)[] points)
    {
        if (points.Length < 4000)
            return points;
        var thin = new List<(double X, double Y)>();
        foreach (var column in points.Where(point => double.IsFinite(point.X + point.Y)).GroupBy(point => Math.Floor(point.X)))
            thin.AddRange([column.MinBy(point => point.Y), column.MaxBy(point => point.Y)]);
        return thin;
    }

    /// <summary>The values that have to fit.</summary>
    private static double[] Values(LinePanel panel) => [.. panel.Series.SelectMany(series =>
    {
        double[] values = [.. series.Points.Select(point => point.Y).Where(double.IsFinite).Order()];
        var outside = series.Faint ? values.Length / 50 : 0;
        return values[outside..^outside];
    })];
}
