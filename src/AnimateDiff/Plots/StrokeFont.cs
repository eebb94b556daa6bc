namespace AnimateDiff.Plots;

/// <summary>
/// A font of strokes for plots, because a bare system has no fonts and because a plot should be the same on every machine. ASCII and a few signs.
/// </summary>
/// <remarks>
/// A glyph is a list of strokes, a stroke a list of points <c>xy</c> on a grid: x is 0…9, A…F; y the same above the baseline (capitals are 14 = E high, small
/// letters 10 = A), z, y, x, w one to four below it. <c>(</c> before a point rounds that corner with the largest radius that fits.
/// </remarks>
internal static class StrokeFont
{
    /// <summary>Height of a line in the glyphs' units: text of size 20 has one pixel for each.</summary>
    public const double Em = 20;

    /// <summary>Height of the capitals in units.</summary>
    public const double CapHeight = 14;

    private const double Space = 6;                                                     // width of a blank
    private const double Gap = 4;                                                       // between glyphs

    private static readonly Dictionary<char, (double X, double Y)[][]> Glyphs = new Dictionary<char, string>
    {
        ['0'] = "07(0E(8E(80(0007",
        ['1'] = "1B5E50",
        ['2'] = "0A(0E(8E(880080",
        ['3'] = "0B(0E(7E(7838 38(88(80(0003",
        ['4'] = "5E0484 6960",
        ['5'] = "7E1E08(88(80(0003",
        ['6'] = "04(08(88(80(0004 04(0E6E",
        ['7'] = "0E8E30",
        ['8'] = "1B(1E(7E(78(181B 04(08(88(80(0004",
        ['9'] = "8A(86(06(0E(8E8A 8A(8020",
        ['A'] = "004E80 1474",
        ['B'] = "080E(7E(7808 08(88(800008",
        ['C'] = "8B(8E(0E(00(8083",
        ['D'] = "000E(8E(8000",
        ['E'] = "7E0E0070 0767",
        ['F'] = "7E0E00 0767",
        ['G'] = "8B(8E(0E(00(808757",
        ['H'] = "000E 808E 0787",
        ['I'] = "0E00",
        ['J'] = "6E(60(0003",
        ['K'] = "000E 8E05 3880",
        ['L'] = "0E0070",
        ['M'] = "000E56AEA0",
        ['N'] = "000E808E",
        ['O'] = "07(0E(AE(A0(0007",
        ['P'] = "000E(8E(8606",
        ['Q'] = "07(0E(AE(A0(0007 74Az",
        ['R'] = "000E(8E(8606 4680",
        ['S'] = "8B(8E(0E(07(87(80(0003",
        ['T'] = "0E8E 4E40",
        ['U'] = "0E(00(808E",
        ['V'] = "0E408E",
        ['W'] = "0E306C90CE",
        ['X'] = "0E80 8E00",
        ['Y'] = "0E478E 4740",
        ['Z'] = "0E8E0080",
        ['a'] = "7A70 77(7A(0A(00(7073",
        ['b'] = "0E00 07(0A(7A(70(0003",
        ['c'] = "77(7A(0A(00(7073",
        ['d'] = "7E70 77(7A(0A(00(7073",
        ['e'] = "0575(7A(0A(00(7072",
        ['f'] = "5E(2E20 0A5A",
        ['g'] = "77(7A(0A(00(7073 7A(7w(0w0y",
        ['h'] = "0E00 07(0A(7A70",
        ['i'] = "0A00 0D0E",
        ['j'] = "3A(3w0w 3D3E",
        ['k'] = "0E00 6A04 2660",
        ['l'] = "0E(0030",
        ['m'] = "000A 07(0A(5A50 57(5A(AAA0",
        ['n'] = "000A 07(0A(7A70",
        ['o'] = "05(0A(7A(70(0005",
        ['p'] = "0A0w 07(0A(7A(70(0003",
        ['q'] = "7A7w 77(7A(0A(00(7073",
        ['r'] = "000A 06(0A4A",
        ['s'] = "68(6A(0A(05(65(60(0002",
        ['t'] = "2D(2050 0A5A",
        ['u'] = "0A(00(7073 7A70",
        ['v'] = "0A306A",
        ['w'] = "0A305870AA",
        ['x'] = "0A60 6A00",
        ['y'] = "0A30 6A2w",
        ['z'] = "0A6A0060",
        ['.'] = "0001",
        [','] = "110y",
        [':'] = "0001 0809",
        [';'] = "110y 1819",
        ['-'] = "0666",
        ['+'] = "0686 424A",
        ['='] = "0484 0888",
        ['_'] = "0y8y",
        ['/'] = "0z7E",
        ['\\'] = "0E7z",
        ['|'] = "0E0x",
        ['('] = "3E(0A(033z",
        [')'] = "0E(3A(330z",
        ['['] = "3E0E0z3z",
        [']'] = "0E3E3z0z",
        ['{'] = "4E(2E(2707 07(27(2z4z",
        ['}'] = "0E(2E(2747 47(27(2z0z",
        ['<'] = "8B0681",
        ['>'] = "0B8601",
        ['!'] = "0E05 0001",
        ['?'] = "0B(0E(7E(78(3834 3031",
        ['"'] = "0E0A 3E3A",
        ['\''] = "0E0A",
        ['#'] = "103E 608E 0484 1999",
        ['$'] = "8B(8E(0E(07(87(80(0003 4F4z",
        ['%'] = "0C(0E(3E(3A(0A0C 52(54(84(80(5052 008E",
        ['&'] = "801B(1E(6E(69(03(00(6086",
        ['*'] = "383E 096D 0D69",
        ['@'] = "7A(74(A4(AE(0E(00A0 7A(3A(3474",
        ['^'] = "0A4E8A",
        ['`'] = "0E3B",
        ['~'] = "06(08(48(46(8688",
        ['°'] = "0C(0E(4E(4A(0A0C",
        ['×'] = "0369 0963",
        ['·'] = "0607",
        ['±'] = "0787 434B 0181",
    }.ToDictionary(glyph => glyph.Key, glyph => Strokes(glyph.Value));

    private static readonly (double X, double Y)[][] Unknown = Strokes("000E7E7000");

    /// <summary>Width of a text in units.</summary>
    public static double Width(string text) => text.Length == 0 ? 0 : text.Sum(Advance) - Gap;

    /// <summary>The strokes of a text in units, from the left end of its baseline, y upwards.</summary>
    public static IEnumerable<(double X, double Y)[]> Lines(string text)
    {
        var left = 0.0;
        foreach (var letter in text)
        {
            if (letter != ' ')
                foreach (var stroke in Glyph(letter))
                    yield return [.. stroke.Select(point => (point.X + left, point.Y))];
            left += Advance(letter);
        }
    }

    private static double Advance(char letter) => letter == ' ' ? Space : Glyph(letter).Max(stroke => stroke.Max(point => point.X)) + Gap;

    private static (double X, double Y)[][] Glyph(char letter) => Glyphs.GetValueOrDefault(letter switch { '–' or '−' or '—' => '-', '’' => '\'', '…' => '.', _ => letter }, Unknown);

    private static (double X, double Y)[][] Strokes(string glyph) => [.. glyph.Split(' ').Select(Stroke)];

    private static (double X, double Y)[] Stroke(string text)
    {
        var corners = new List<(double X, double Y, bool Round)>();
        for (var at = 0; at < text.Length; at += 2)
        {
            var round = text[at] == '(';
            if (round)
                at++;
            corners.Add((Coordinate(text[at]), Coordinate(text[at + 1]), round));
        }
        var points = new List<(double X, double Y)>();
        for (var index = 0; index < corners.Count; index++)
            if (corners[index].Round)
                points.AddRange(Arc(corners, index));
            else
                points.Add((corners[index].X, corners[index].Y));
        return [.. points];
    }

    private static double Coordinate(char digit) => digit switch { >= 'w' => digit - '{', >= 'A' => digit - 'A' + 10, _ => digit - '0' };

    /// <summary>A rounded corner: two round corners share the line between them, beside a sharp one or an end there is all of it.</summary>
    private static IEnumerable<(double X, double Y)> Arc(List<(double X, double Y, bool Round)> corners, int index)
    {
        const int steps = 8;
        var (before, here, after) = (corners[index - 1], corners[index], corners[index + 1]);
        var (first, second) = (Length(before, here), Length(here, after));
        var radius = Math.Min(before.Round ? first / 2 : first, after.Round ? second / 2 : second);
        var from = (X: here.X + (before.X - here.X) * radius / first, Y: here.Y + (before.Y - here.Y) * radius / first);
        var to = (X: here.X + (after.X - here.X) * radius / second, Y: here.Y + (after.Y - here.Y) * radius / second);
        const double round = 0.5523;                                                    // makes a quarter of a circle of a cubic curve
        for (var step = 0; step <= steps; step++)
        {
            var (t, s) = ((double)step / steps, 1 - (double)step / steps);
            var (start, end) = (s * s * s + 3 * s * s * t * (1 - round), t * t * t + 3 * s * t * t * (1 - round));
            var corner = 3 * s * t * round;
            yield return (start * from.X + corner * here.X + end * to.X, start * from.Y + corner * here.Y + end * to.Y);
        }
    }

    private static double Length((double X, double Y, bool Round) a, (double X, double Y, bool Round) b) => Math.Sqrt((a.X - b.X) * (a.X - b.X) + (a.Y - b.Y) * (a.Y - b.Y));
}
