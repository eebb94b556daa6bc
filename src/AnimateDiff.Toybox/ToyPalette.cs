using System.Numerics;

namespace AnimateDiff.Toybox;

/// <summary>The colours of the world, red, green and blue in 0…255.</summary>
internal static class ToyPalette
{
    /// <summary>White, of the mark and of bright spots.</summary>
    public static readonly Vector3 White = new(255);

    /// <summary>What the neon look shows where nothing glows.</summary>
    public static readonly Vector3 Dark = new(8, 8, 16);

    /// <summary>The neon look's horizon.</summary>
    public static readonly Vector3 Horizon = new(34, 34, 62);

    /// <summary>How far down the horizon of grass, desert and neon is.</summary>
    public const float HorizonAt = 2f / 3;

    public static Vector3 Of(ToyColour colour) => colour switch
    {
        ToyColour.Red => new(225, 40, 45),
        ToyColour.Orange => new(250, 135, 25),
        ToyColour.Yellow => new(250, 225, 40),
        ToyColour.Green => new(40, 165, 70),
        ToyColour.Blue => new(45, 90, 225),
        ToyColour.Purple => new(140, 55, 190),
        ToyColour.Pink => new(252, 140, 195),
        _ => new(246, 246, 246),
    };

    /// <summary>Colour of a background.</summary>
    /// <param name="background">Which.</param>
    /// <param name="down">0 at the top of the picture, 1 at its bottom.</param>
    /// <param name="ground">How much of the place lies below the horizon, 0…1.</param>
    public static Vector3 Of(ToyBackground background, float down, float ground) => background switch
    {
        ToyBackground.Day => Vector3.Lerp(new(150, 200, 242), new(215, 236, 252), down),
        ToyBackground.Night => Vector3.Lerp(new(10, 13, 40), new(38, 42, 92), down),
        ToyBackground.Grass => Vector3.Lerp(Vector3.Lerp(new(190, 220, 242), new(222, 238, 248), down), new(118, 172, 92), ground),
        _ => Vector3.Lerp(Vector3.Lerp(new(252, 226, 188), new(248, 200, 158), down), new(218, 182, 122), ground),
    };
}
