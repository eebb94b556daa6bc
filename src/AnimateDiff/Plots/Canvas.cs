using AnimateDiff.Video;

namespace AnimateDiff.Plots;

/// <summary>A colour and how much it covers, 0…1.</summary>
internal readonly record struct Ink(byte Red, byte Green, byte Blue, double Alpha = 1)
{
    public static readonly Ink Text = new(38, 38, 38);
    public static readonly Ink Grid = new(228, 228, 228);

    /// <summary>Colours that stay apart for all kinds of colour vision (Okabe and Ito, "Color Universal Design", 2008), again from the start after the last.</summary>
    public static Ink Of(int index) => Set[index % Set.Length];

    private static readonly Ink[] Set = [new(0, 114, 178), new(213, 94, 0), new(0, 158, 115), new(204, 121, 167), new(230, 159, 0), new(86, 180, 233), new(110, 110, 110)];
}

/// <summary>Where the point that a text is placed by lies in it.</summary>
internal enum Anchor
{
    Left,
    Centre,
    Right,
}

/// <summary>
/// A rectangle of pixels: y runs down. Vertical text reads upwards.
/// </summary>
internal readonly record struct Area(double Left, double Top, double Right, double Bottom)
{
    public double Width => Right - Left;
    public double Height => Bottom - Top;
}

/// <summary>A white picture that is drawn on with smooth strokes; made of arithmetic only, so the same everywhere.</summary>
internal sealed class Canvas(int width, int height)
{
    private readonly byte[] _pixels = [.. Enumerable.Repeat((byte)255, width * height * 3)];
    private readonly float[] _cover = new float[width * height];            // of the stroke in progress, so that it does not darken where it crosses itself

    public int Width => width;
    public int Height => height;

    /// <summary>Draws connected lines with round ends; a NaN interrupts them. What lies outside <paramref name="clip"/> is not drawn.</summary>
    public void Line(IReadOnlyList<(double X, double Y)> points, double thickness, Ink ink, Area? clip = null) => Stroke([points], thickness, ink, clip);

    /// <summary>Draws a filled disc.</summary>
    public void Dot(double x, double y, double radius, Ink ink, Area? clip = null) => Stroke([[(x, y), (x, y)]], 2 * radius, ink, clip);

    /// <summary>Fills a rectangle.</summary>
    public void Fill(Area area, Ink ink)
    {
        for (var y = Math.Max(0, (int)Math.Round(area.Top)); y < Math.Min(height, (int)Math.Round(area.Bottom)); y++)
            for (var x = Math.Max(0, (int)Math.Round(area.Left)); x < Math.Min(width, (int)Math.Round(area.Right)); x++)
                Blend(y * width + x, ink, 1);
    }

    /// <summary>Writes a line of text whose middle (of the capitals' height) is at a point; upwards when vertical.</summary>
    public void Text(double x, double y, string text, double size, Anchor anchor = Anchor.Left, Ink? ink = null, bool vertical = false, bool bold = false)
    {
        var scale = size / StrokeFont.Em;
        var start = anchor switch { Anchor.Left => 0, Anchor.Centre => -TextWidth(text, size) / 2, _ => -TextWidth(text, size) };
        var drop = StrokeFont.CapHeight / 2 * scale;
        (double X, double Y) Place((double X, double Y) point)
        {
            var (along, up) = (start + point.X * scale, point.Y * scale - drop);
            return vertical ? (x - up, y - along) : (x + along, y - up);
        }
        Stroke(StrokeFont.Lines(text).Select(line => (IReadOnlyList<(double X, double Y)>)[.. line.Select(Place)]), size * (bold ? 0.125 : 0.09), ink ?? Ink.Text, null);
    }

    /// <summary>Width of a text in pixels.</summary>
    public static double TextWidth(string text, double size) => StrokeFont.Width(text) * size / StrokeFont.Em;

    /// <summary>Writes the picture as a PNG.</summary>
    public void Write(string path) => ContactSheet.Write(path, new VideoFrames(1, height, width, _pixels), columns: 1);

    /// <summary>The colour of a pixel.</summary>
    public (byte Red, byte Green, byte Blue) this[int x, int y] => (_pixels[3 * (y * width + x)], _pixels[3 * (y * width + x) + 1], _pixels[3 * (y * width + x) + 2]);

    private void Stroke(IEnumerable<IReadOnlyList<(double X, double Y)>> lines, double thickness, Ink ink, Area? clip)
    {
        var bounds = clip ?? new Area(0, 0, width, height);
        var touched = new List<int>();
        foreach (var line in lines)
            for (var index = 1; index < line.Count; index++)
                Segment(line[index - 1], line[index], thickness, bounds, touched);
        foreach (var pixel in touched)
        {
            Blend(pixel, ink, _cover[pixel]);
            _cover[pixel] = 0;
        }
    }

    /// <summary>How much of each pixel a line covers, from the distance of the pixel's centre to it.</summary>
    private void Segment((double X, double Y) a, (double X, double Y) b, double thickness, Area bounds, List<int> touched)
    {
        if (!double.IsFinite(a.X + a.Y + b.X + b.Y))
            return;
        var reach = thickness / 2 + 0.5;
        var (dx, dy) = (b.X - a.X, b.Y - a.Y);
        var square = dx * dx + dy * dy;
        var top = Math.Max(Math.Max(0, bounds.Top), Math.Min(a.Y, b.Y) - reach);
        var bottom = Math.Min(Math.Min(height, bounds.Bottom), Math.Max(a.Y, b.Y) + reach);
        var left = Math.Max(Math.Max(0, bounds.Left), Math.Min(a.X, b.X) - reach);
        var right = Math.Min(Math.Min(width, bounds.Right), Math.Max(a.X, b.X) + reach);
        for (var y = (int)top; y < bottom; y++)
            for (var x = (int)left; x < right; x++)
            {
                var (px, py) = (x + 0.5 - a.X, y + 0.5 - a.Y);
                var along = square == 0 ? 0 : Math.Clamp((px * dx + py * dy) / square, 0, 1);
                var (ox, oy) = (px - along * dx, py - along * dy);
                var cover = (float)Math.Min(Math.Min(1, thickness), reach - Math.Sqrt(ox * ox + oy * oy));
                var pixel = y * width + x;
                if (cover <= _cover[pixel])
                    continue;
                if (_cover[pixel] == 0)
                    touched.Add(pixel);
                _cover[pixel] = cover;
            }
    }

    private void Blend(int pixel, Ink ink, double cover)
    {
        var alpha = ink.Alpha * cover;
        byte Mix(byte below, byte above) => (byte)Math.Round(below + (above - below) * alpha);
        var colour = _pixels.AsSpan(3 * pixel, 3);
        (colour[0], colour[1], colour[2]) = (Mix(colour[0], ink.Red), Mix(colour[1], ink.Green), Mix(colour[2], ink.Blue));
    }
}
