namespace AnimateDiff;

/// <summary>
/// Settings of Text2Video-Zero (Khachatryan et al. 2023, arXiv 2303.13439): the first frame is denoised for a few steps, its latents are shifted a little farther for
/// each later frame, and all frames are denoised together, each looking at the first. Nothing is trained, and nothing but the shift decides what moves.
/// </summary>
public sealed record ZeroShot
{
    internal const int UsualFrames = 8;

    // of 50 steps, those before x_T1 and before x_T0
    private const int UsualSteps = 50;
    private const int BeforeT1 = 2;
    private const int BeforeT0 = 5;

    /// <summary>
    /// How much farther to the left the picture is in each frame, in 512ths of its width; negative to the right. 12 by default, as in the paper.
    /// Shifts are rounded to latent pixels, of 8 pixels in Stable Diffusion.
    /// </summary>
    public double X { get; init; } = 12;

    /// <summary>How much farther up the picture is in each frame, in 512ths of its height; negative down. 12 by default.</summary>
    public double Y { get; init; } = 12;

    /// <summary>
    /// The step at which the first frame's latents are shifted, counted from the last one, which is 0: below <see cref="T1"/>. Null: 44 of 50 steps, and as much of another
    /// number. A low one shifts a finished picture, a high one the idea of a picture.
    /// </summary>
    public int? T0 { get; init; }

    /// <summary>
    /// The step at which the later frames begin, counted in the same way: at most the number of steps less 1. What is shifted gets the noise between <see cref="T0"/> and this one again,
    /// another one in each frame, so that a greater distance leaves them more freedom. Null: 47 of 50 steps, and as much of another number.
    /// </summary>
    public int? T1 { get; init; }

    /// <summary>Reads the shift, <c>X,Y</c>.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="RequestException">It is something else.</exception>
    public ZeroShot WithMotion(string text) => text.Split(',').Select(OptionText.Number).ToArray() is [{ } x, { } y] ? this with { X = x, Y = y }
        : throw new RequestException($"The motion of Text2Video-Zero takes X,Y, to the left and up in 512ths of the picture, such as 12,12, but it was given {text}.");

    /// <summary>Reads the steps, <c>T0,T1</c>.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="RequestException">It is something else.</exception>
    public ZeroShot WithSteps(string text) => text.Split(',').Select(OptionText.Whole).ToArray() is [{ } t0, { } t1] ? this with { T0 = t0, T1 = t1 }
        : throw new RequestException($"The steps of Text2Video-Zero take T0,T1, counted from the last, such as 44,47 of 50, but they were given {text}.");

    /// <summary>The same with the steps that are taken where none are given.</summary>
    /// <param name="steps">Steps of the run.</param>
    internal ZeroShot Settled(int steps)
    {
        int Share(int before) => (int)Math.Round((double)before * steps / UsualSteps, MidpointRounding.AwayFromZero);
        var t1 = T1 ?? (T0 is { } last ? Math.Max(last + 1, steps - 1 - Share(BeforeT1)) : steps - 1 - Math.Max(1, Share(BeforeT1)));
        return this with { T1 = t1, T0 = T0 ?? Math.Min(t1 - 1, steps - 1 - Share(BeforeT0)) };
    }

    /// <summary>Refuses what is out of range, and what a request asks for that does not go with it.</summary>
    internal void Validate(GenerationRequest request)
    {
        if (!double.IsFinite(X) || !double.IsFinite(Y) || Math.Abs(X) > 512 || Math.Abs(Y) > 512)
            throw new RequestException($"Text2Video-Zero cannot move a picture by {X},{Y} a frame: expected −512 to 512, the whole picture, usually 12,12.");
        var settled = Settled(request.Steps);
        var (t0, t1) = (settled.T0, settled.T1);
        if (t0 < 0 || t0 >= t1 || t1 >= request.Steps)
            throw new RequestException($"Text2Video-Zero cannot take the steps {t0},{t1} of {request.Steps}: expected two from 0 to {request.Steps - 1}, counted from the last, the first below the second, such as 44,47 of 50{(request.Steps < 3 ? ", and 3 steps or more" : "")}.");
        if (request.Frames < 2)
            throw new RequestException($"Text2Video-Zero moves a picture from frame to frame, and {request.Frames} is asked for: ask for 2 or more, or leave out --method.");
        foreach (var (isAsked, what, reason) in Conflicts(request))
            if (isAsked)
                throw new RequestException($"{what} not go with Text2Video-Zero: {reason}.");
    }

    private static IEnumerable<(bool, string, string)> Conflicts(GenerationRequest request) =>
    [
        (request.Context is not null, "Context windows do", "every frame looks at the first of the clip, which most windows are without; clips may be of any length"),
        (request.FreeNoise is not null, "FreeNoise does", "its windows are those of a motion module, and there is none"),
        (request.FreeInit is not null, "FreeInit does", "it filters the noises of all frames, and here only the first has one of its own"),
        (request.Adapters.Any(adapter => adapter.Role == AdapterRole.MotionLora), "MotionLoRAs do", "they change a motion module, and there is none; --zero-motion moves the picture"),
        (request.Sparse is not null, "SparseCtrl does", "it spreads pictures over frames with motion layers of its own, made for those of a motion module; ControlNets go with it"),
        (request.Source is not null, "A video or picture to begin from does", "the clip begins from the noise of one frame; to follow a video, give a ControlNet and --control"),
        (request.InitialNoise is not null, "A kind of noise does", "one frame's noise is drawn, and the others are made from it; leave out --noise"),
        (request.FrameSeeds.Count > 0, "Seeds of frames do", "one frame's noise is drawn, and the others are made from it; --seed draws another"),
        (request.DeepCache is { IsOn: true }, "Deep-feature caching does", "the features of the first frame alone are none for all frames"),
    ];
}
