namespace AnimateDiff.Training.Dataset;

/// <summary>A movement of the camera that clips are made with.</summary>
internal enum CameraMovement
{
    /// <summary><c>zoom-in</c>: the crop shrinks.</summary>
    ZoomIn,

    /// <summary><c>zoom-out</c>: the crop grows.</summary>
    ZoomOut,

    /// <summary><c>pan-left</c>: the crop moves left.</summary>
    PanLeft,

    /// <summary><c>pan-right</c>: the crop moves right.</summary>
    PanRight,

    /// <summary><c>tilt-up</c>: the crop moves up.</summary>
    TiltUp,

    /// <summary><c>tilt-down</c>: the crop moves down.</summary>
    TiltDown,

    /// <summary><c>roll-cw</c>: the picture turns clockwise.</summary>
    RollCw,

    /// <summary><c>roll-ccw</c>: the picture turns counter-clockwise.</summary>
    RollCcw,
}

/// <summary>How a movement of the camera is spread over the clip.</summary>
internal enum Easing
{
    /// <summary><c>linear</c>: at one speed.</summary>
    Linear,

    /// <summary><c>ease-in-out</c>: starts and ends at rest (3t² − 2t³).</summary>
    EaseInOut,
}

/// <summary>The spelling of settings: <c>PanLeft</c> is written <c>pan-left</c>.</summary>
internal static class KebabNames
{
    /// <summary>All values of <typeparamref name="T"/> as they are written.</summary>
    public static IEnumerable<string> Of<T>() where T : struct, Enum => Enum.GetValues<T>().Select(Of);

    /// <summary>A value as it is written.</summary>
    public static string Of<T>(T value) where T : struct, Enum => string.Concat(
        value.ToString().Select((letter, at) => at > 0 && char.IsUpper(letter) ? $"-{char.ToLowerInvariant(letter)}" : $"{char.ToLowerInvariant(letter)}"));

    /// <summary>The value that is written so, or null.</summary>
    public static T? Parse<T>(string name) where T : struct, Enum =>
        Enum.GetValues<T>().Cast<T?>().FirstOrDefault(value => Of(value!.Value) == name);
}
