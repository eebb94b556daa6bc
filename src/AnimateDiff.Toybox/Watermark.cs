namespace AnimateDiff.Toybox;

/// <summary>The mark of the video set: the letters TOY in the lower right corner, half transparent, the same in every clip.</summary>
internal static class Watermark
{
    /// <summary>Opacity of the white letters.</summary>
    public const float Alpha = 0.65f;

    /// <summary>Opacity of the black edge around them.</summary>
    public const float EdgeAlpha = 0.35f;

    private const int Left = 45, Top = 54;
    private static readonly string[] Rows =
    [
        "##### .###. #...#",
        "..#.. #...# #...#",
        "..#.. #...# .#.#.",
        "..#.. #...# ..#..",
        "..#.. #...# ..#..",
        "..#.. #...# ..#..",
        "..#.. .###. ..#..",
    ];

    /// <summary>Where the letters are: 1 on them, 0 elsewhere, <c>[size, size]</c>.</summary>
    /// <param name="size">Side of the picture in pixels.</param>
    public static float[] Mask(int size) => Sample(size, IsLetter);

    /// <summary>Where their edge is: 1 on pixels beside a letter, 0 elsewhere, <c>[size, size]</c>.</summary>
    /// <param name="size">Side of the picture in pixels.</param>
    public static float[] Edge(int size) => Sample(size, (x, y) => !IsLetter(x, y) && (IsLetter(x - 1, y) || IsLetter(x + 1, y) || IsLetter(x, y - 1) || IsLetter(x, y + 1)));

    private static bool IsLetter(int x, int y) =>
        y >= Top && y < Top + Rows.Length && x >= Left && x < Left + Rows[0].Length && Rows[y - Top][x - Left] == '#';

    private static float[] Sample(int size, Func<int, int, bool> at)
    {
        var mask = new float[size * size];
        for (var y = 0; y < size; y++)
            for (var x = 0; x < size; x++)
                mask[y * size + x] = at((int)((x + 0.5) * ToyScene.Side / size), (int)((y + 0.5) * ToyScene.Side / size)) ? 1 : 0;
        return mask;
    }
}
