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
