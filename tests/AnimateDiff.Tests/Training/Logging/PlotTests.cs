using AnimateDiff.Plots;
using ImageMagick;

namespace AnimateDiff.Tests.Training.Logging;

/// <summary>Plots: ticks, what is drawn where, and that no system font is needed.</summary>
public sealed class PlotTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(new double[] { 0, 1 }, "0.0 0.2 0.4 0.6 0.8 1.0")]
    [InlineData(new double[] { 0.12, 0.57 }, "0.1 0.2 0.3 0.4 0.5 0.6")]
    [InlineData(new double[] { -3, 17 }, "-5 0 5 10 15 20")]
    [InlineData(new double[] { 0, 1e-4 }, "0 2e-5 4e-5 6e-5 8e-5 1e-4")]
    [InlineData(new double[] { 1e-4, 1e-4 }, "9e-5 9.5e-5 1e-4 1.05e-4 1.1e-4")]
    [InlineData(new double[] { 0, 0 }, "0.0 0.2 0.4 0.6 0.8 1.0")]
    [InlineData(new double[] { double.NaN, double.PositiveInfinity }, "0.0 0.2 0.4 0.6 0.8 1.0")]
    [InlineData(new double[0], "0.0 0.2 0.4 0.6 0.8 1.0")]
    [InlineData(new double[] { 3e7, 5e7 }, "3e7 3.5e7 4e7 4.5e7 5e7")]
    public void Ticks_are_round_numbers_around_the_values(double[] values, string expected)
    {
        var axis = Axis.Linear(values, 5);
        Assert.Equal(expected, string.Join(' ', axis.Ticks.Select(tick => tick.Label)));
        Assert.All(values.Where(double.IsFinite), value => Assert.InRange(axis.Position(value), 0, 1));
    }

    [Fact]
    public void A_tight_axis_of_whole_numbers_ends_at_them_and_has_whole_ticks()
    {
        var axis = Axis.Linear([5, 6, 8], 8, tight: true);
        Assert.Equal("5 6 7 8", string.Join(' ', axis.Ticks.Select(tick => tick.Label)));
        Assert.Equal((0.0, 1.0), (axis.Position(5), axis.Position(8)));
    }

    [Theory]
    [InlineData(new double[] { 0.001, 1000 }, "0.001 0.01 0.1 1 10 100 1000")]
    [InlineData(new double[] { 0, -1, double.NaN, 0.02, 0.5 }, "0.02 0.03 0.05 0.07 0.1 0.2 0.3 0.5")]
    [InlineData(new double[] { 1e-6, 1e-4 }, "1e-6 2e-6 5e-6 1e-5 2e-5 5e-5 1e-4")]
    public void Logarithmic_ticks_are_powers_of_ten_and_between_them_where_those_are_few(double[] values, string expected)
    {
        var axis = Axis.Logarithmic(values);
        Assert.Equal(expected, string.Join(' ', axis.Ticks.Select(tick => tick.Label)));
        Assert.All(values.Where(value => value > 0), value => Assert.InRange(axis.Position(value), 0, 1));
        Assert.Equal(double.NaN, axis.Position(0));
    }

    [Fact]
    public void A_curve_is_drawn_where_its_values_are_and_not_over_gaps()
    {
        var red = new Ink(255, 0, 0);
        var canvas = LinePlot.Draw("", "", [new("", [new("one", [(0, 0), (4, 0), (5, double.NaN), (6, 1), (10, 1)]) { Ink = red }])]);
        var pixels = Where(canvas, (255, 0, 0));
        Assert.Equal(2, pixels.Select(pixel => pixel.Y / 100).Distinct().Count());   // two heights
        var (low, high) = (pixels.Where(pixel => pixel.Y > 300).Select(pixel => pixel.X).ToArray(), pixels.Where(pixel => pixel.Y <= 300).Select(pixel => pixel.X).ToArray());
        var width = high.Max() - low.Min();                                 // 0…10
        Assert.Equal((0.4, 0.6), (Math.Round((double)(low.Max() - low.Min()) / width, 2), Math.Round((double)(high.Min() - low.Min()) / width, 2)));
    }

    [Fact]
    public void Many_points_look_as_all_of_them_do()
    {
        (double X, double Y)[] points = [.. Enumerable.Range(0, 20000).Select(index => ((double)index, index == 7777 ? 5.0 : index % 7))];
        var many = LinePlot.Draw("", "", [new("", [new("one", points) { Ink = new(255, 0, 0) }])]);
        var top = Where(many, (255, 0, 0)).Min(pixel => pixel.Y);
        Assert.InRange(top, PlotFrame.Top, PlotFrame.Top + 40);             // the sixes, which every pixel's width has
    }

    [Fact]
    public void Bars_are_as_high_as_their_values()
    {
        var canvas = BarPlot.Draw("", "", ["a", "b"], [new("left", [1, 2]), new("right side", [double.NaN, -1])]);
        int Height((byte, byte, byte) colour, int fromX, int toX)
        {
            var rows = Where(canvas, colour).Where(pixel => pixel.X >= fromX && pixel.X < toX).GroupBy(pixel => pixel.Y).Count(row => row.Count() > 40);
            return rows;
        }
        var (first, second) = ((Ink.Of(0).Red, Ink.Of(0).Green, Ink.Of(0).Blue), (Ink.Of(1).Red, Ink.Of(1).Green, Ink.Of(1).Blue));
        var unit = Height(first, 0, 450);
        Assert.InRange(unit, 100, 200);
        Assert.InRange(Height(second, 0, 450), 2 * unit - 3, 2 * unit + 3);
        Assert.InRange(Height(second, 500, 900), unit - 3, unit + 3);
        Assert.Equal(0, Height(first, 500, 900));
    }

    [Fact]
    public void Every_sign_of_ascii_has_a_glyph_of_its_own()
    {
        static string Drawn(char letter) => string.Join(';', StrokeFont.Lines(letter.ToString()).Select(line => string.Join(' ', line)));
        var glyphs = Enumerable.Range(33, 94).Select(code => Drawn((char)code)).ToArray();
        Assert.DoesNotContain(Drawn('語'), glyphs);
        Assert.Equal(glyphs.Length, glyphs.Distinct().Count());
    }

    [Fact]
    public void Text_is_drawn_where_it_is_placed()
    {
        var canvas = new Canvas(200, 100);
        canvas.Text(100, 50, "Halo", 20, Anchor.Right);
        var ink = Dark(canvas);
        Assert.InRange(ink.Max(pixel => pixel.X), 97, 101);
        Assert.InRange(ink.Min(pixel => pixel.X), 99 - (int)Canvas.TextWidth("Halo", 20) - 2, 101 - (int)Canvas.TextWidth("Halo", 20));
        Assert.InRange(ink.Average(pixel => pixel.Y), 46, 54);
        canvas = new Canvas(100, 200);
        canvas.Text(50, 100, "Halo", 20, Anchor.Left, vertical: true);
        Assert.InRange(Dark(canvas).Max(pixel => pixel.Y), 98, 102);        // begins at the point and runs upwards
    }

    [Fact]
    public void Plots_are_png_files_of_their_size()
    {
        LinePlot.Write(_folder["line.png"], "Loss", "step", "loss", [new("a", [(0, 1e-3), (1, 1)]), new("b", [(0, 1)])], logY: true);
        BarPlot.Write(_folder["bar.png"], "Times", "s", ["a"], [new("x", [1])]);
        foreach (var name in _folder.Entries)
        {
            using var picture = new MagickImage(_folder[name]);
            Assert.Equal((1000u, 600u, MagickFormat.Png), (picture.Width, picture.Height, picture.Format));
            Assert.InRange(picture.TotalColors, 20u, 5000u);
        }
        Assert.Equal(["bar.png", "line.png"], _folder.Entries);
    }

    private static List<(int X, int Y)> Where(Canvas canvas, (byte, byte, byte) colour) =>
        [.. from y in Enumerable.Range(0, canvas.Height) from x in Enumerable.Range(0, canvas.Width) where canvas[x, y] == colour select (x, y)];

    private static List<(int X, int Y)> Dark(Canvas canvas) =>
        [.. from y in Enumerable.Range(0, canvas.Height) from x in Enumerable.Range(0, canvas.Width) where canvas[x, y].Red < 128 select (x, y)];
}
