namespace AnimateDiff;

/// <summary>What is done to the frames of a clip after it is made: new frames in between, then larger frames.</summary>
/// <param name="Interpolate">How many times as many frames: 1, 2 or 4. The clip lasts as long: it is played as many times as fast.</param>
/// <param name="Upscale">How many times as large each side is: 1, 2 or 4.</param>
/// <param name="UpscaleModel">A file with an ESRGAN or Real-ESRGAN upscaler; null: sharpened Lanczos.</param>
/// <param name="Closed">Whether the first frame follows the last. Null: where the clip's <see cref="FrameContext"/> is closed.</param>
public sealed record Finish(int Interpolate = 1, int Upscale = 1, string? UpscaleModel = null, bool? Closed = null)
{
    /// <summary>Frames, width and height of a clip after these steps.</summary>
    internal static (int Frames, int Height, int Width) After(IEnumerable<Finish> steps, (int Frames, int Height, int Width) clip, bool closed)
    {
        foreach (var step in steps)
        {
            step.Validate();
            var (frames, height, width) = clip;
            var bytes = 3.0 * frames * step.Interpolate * height * step.Upscale * width * step.Upscale;
            if (bytes > Array.MaxLength)
                throw new RequestException($"{frames} frames of {width}×{height}, {step.Interpolate} times as many and {step.Upscale} times as large, are {bytes / (1 << 20):0} MiB of pixels, more than the {Array.MaxLength >> 20} MiB of one clip: ask for less.");
            clip = (Finishing.FrameInterpolation.Count(frames, step.Interpolate, step.Closed ?? closed), height * step.Upscale, width * step.Upscale);
        }
        return clip;
    }

    /// <summary>How many times as fast a clip is played after these steps, so that it lasts as long.</summary>
    /// <param name="steps">The steps; null for none.</param>
    public static int Speed(IEnumerable<Finish>? steps) => (steps ?? []).Aggregate(1, (speed, step) => speed * step.Interpolate);

    internal void Validate()
    {
        if (Interpolate is not (1 or 2 or 4))
            throw new RequestException($"{Interpolate} times as many frames cannot be made: expected 2 or 4.");
        if (Upscale is not (1 or 2 or 4))
            throw new RequestException($"Frames cannot be made {Upscale} times as large: expected 2 or 4.");
        if (UpscaleModel is not null && Upscale == 1)
            throw new RequestException($"The upscaler {UpscaleModel} needs to be told how much larger the frames are to be: 2 or 4.");
    }
}
