namespace AnimateDiff;

/// <summary>How a clip is made larger before its second run.</summary>
public enum HiresMode
{
    /// <summary>As pictures: decoded, resized (Lanczos) and encoded again.</summary>
    Pixel,
    /// <summary>As latents, bicubic; softer, so that it needs more strength.</summary>
    Latent,
    /// <summary>As latents, each taking the place of several; needs more strength still.</summary>
    LatentNearest,
}

/// <summary>
/// A second run at a larger size: the clip of the first is made larger, put under noise, and denoised again. So large clips keep the composition and the
/// movement of the size the model was trained for, and get details of the larger one.
/// </summary>
/// <param name="Scale">How many times as large each side becomes, 1 to 8; sizes are rounded to what the model takes.</param>
/// <param name="Strength">How much is made anew, above 0 up to 1: the share of the steps that is run.</param>
/// <param name="Steps">Steps of which that share is run; null for as many as the first run's.</param>
/// <param name="Mode">How the clip is made larger.</param>
public sealed record Hires(double Scale, double Strength = Hires.UsualStrength, int? Steps = null, HiresMode Mode = HiresMode.Pixel)
{
    /// <summary>The strength where none is given.</summary>
    public const double UsualStrength = 0.5;

    private const double Largest = 8;

    /// <summary>Reads <c>SCALE[:STRENGTH[:STEPS]]</c>.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="RequestException">It is something else.</exception>
    public static Hires Parse(string text)
    {
        var words = text.Split(':');
        var (scale, strength, steps) = (OptionText.Number(words[0]), words.Length > 1 ? OptionText.Number(words[1]) : UsualStrength, words.Length > 2 ? OptionText.Whole(words[2]) : null);
        return words.Length <= 3 && scale is { } large && strength is { } share && (words.Length < 3 || steps is not null)
            ? new Hires(large, share, steps)
            : throw new RequestException($"A second run takes SCALE, SCALE:STRENGTH or SCALE:STRENGTH:STEPS, such as 2 or 1.5:0.6:20, but it was given {text}.");
    }

    internal void Validate(GenerationRequest request)
    {
        if (Scale is not (>= 1 and <= Largest))
            throw new RequestException($"A second run {Scale} times as large is not possible: expected 1 to {Largest}, usually 1.5 or 2.");
        if (Strength is not (> 0 and <= 1))
            throw new RequestException($"A strength of {Strength} is not possible for the second run: expected above 0 (hardly a change) up to 1 (made anew).");
        var scheduler = Noise.Scheduler.Create(request.Scheduler, request.SchedulerOptions, Steps ?? request.Steps);
        _ = scheduler.StartIndex(Strength);                                 // refuses a strength that leaves no step
    }

    /// <summary>The size of the second run's clips, rounded to multiples of what a latent stands for.</summary>
    internal ClipSize SizeOf(ClipSize first, int pixelsPerLatent)
    {
        int Side(int pixels) => Math.Max(1, (int)Math.Round(pixels * Scale / pixelsPerLatent, MidpointRounding.AwayFromZero)) * pixelsPerLatent;
        return first with { Height = Side(first.Height), Width = Side(first.Width) };
    }
}
