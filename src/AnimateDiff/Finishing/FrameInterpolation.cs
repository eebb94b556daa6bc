using AnimateDiff.Layers;
using AnimateDiff.Video;

namespace AnimateDiff.Finishing;

/// <summary>
/// Frames between frames, without a model: the movement between two neighbours is measured both ways (<see cref="OpticalFlow"/>) and carried to the time
/// between (<see cref="FlowProjection"/>); both neighbours are moved there and mixed. What one of them does not show, because it is hidden or outside
/// the picture, comes from the other; where the movements there and back do not fit each other at all, the neighbours are cross-faded.
/// </summary>
internal sealed class FrameInterpolation
{
    private const double Tolerance = 1;                                     // pixels by which movements there and back may differ
    private const double Another = 0.15;                                    // difference, in −1…1, by which it is another thing
    private const double Noise = 0.05;                                      // difference, in −1…1, by which the same thing looks different in the next frame

    private readonly Tensor _first, _second;                                // [1, 3, H, W] in −1…1
    private readonly Tensor _fineFirst, _fineSecond;                        // the same at twice the size, so that looking up between pixels blurs less
    private readonly Tensor _forward, _backward;                            // [1, 2, H, W]
    private readonly Tensor _forwardCredit, _backwardCredit;                // [1, 1, H, W]
    private readonly Tensor _forwardMatch, _backwardMatch;                  // [1, 1, H, W] in 0…1: whether the same thing is there at all

    private FrameInterpolation(Tensor first, Tensor second)
    {
        (_first, _second) = (first, second);
        (_fineFirst, _fineSecond) = (Lanczos.Between(first), Lanczos.Between(second));
        (_forward, _backward) = (OpticalFlow.Between(first, second), OpticalFlow.Between(second, first));
        var (there, back) = (OpticalFlow.Difference(first, second, _forward), OpticalFlow.Difference(second, first, _backward));
        (_forwardCredit, _backwardCredit) = (Credit(there, _forward, _backward), Credit(back, _backward, _forward));
        (_forwardMatch, _backwardMatch) = (Match(there), Match(back));
    }

    /// <summary>Frames of a clip after interpolation.</summary>
    public static int Count(int frames, int factor, bool closed) => closed ? frames * factor : (frames - 1) * factor + 1;

    /// <summary>A clip with <paramref name="factor"/> − 1 new frames after each one: all but the last, or all of a loop. The old ones stay as they are.</summary>
    /// <param name="frames">The clip.</param>
    /// <param name="factor">2 or more.</param>
    /// <param name="closed">Whether the first frame follows the last.</param>
    /// <param name="done">Told how many of how many pairs of frames are done.</param>
    /// <param name="cancellationToken">Looked at before each pair.</param>
    public static VideoFrames Apply(VideoFrames frames, int factor, bool closed, Action<int, int> done, CancellationToken cancellationToken)
    {
        var size = frames[0].Length;
        var pixels = new byte[(long)Count(frames.Frames, factor, closed) * size];
        var pairs = closed ? frames.Frames : frames.Frames - 1;
        for (var pair = 0; pair < frames.Frames; pair++)
        {
            frames[pair].CopyTo(pixels.AsSpan(pair * factor * size));
            if (pair == pairs)
                break;
            cancellationToken.ThrowIfCancellationRequested();
            done(pair, pairs);
            using var scope = NewDisposeScope();
            var motion = new FrameInterpolation(Picture(frames, pair), Picture(frames, (pair + 1) % frames.Frames));
            for (var step = 1; step < factor; step++)
                VideoFrames.FromTensor(motion.At(step / (double)factor))[0].CopyTo(pixels.AsSpan((pair * factor + step) * size));
        }
        done(pairs, pairs);
        return new VideoFrames(pixels.Length / size, frames.Height, frames.Width, pixels);
    }

    /// <summary>One frame as [1, 3, H, W] in −1…1.</summary>
    public static Tensor Picture(VideoFrames frames, int frame) => new VideoFrames(1, frames.Height, frames.Width, frames[frame].ToArray()).ToTensor();

    private Tensor At(double time)
    {
        using var scope = NewDisposeScope();
        var flow = FlowProjection.At(_forward, _forwardCredit, _backward, _backwardCredit, time).Then(OpticalFlow.Median);
        var (back, on) = (Warp.Places(flow.Times(-time)), Warp.Places(flow.Times(1 - time)));
        var (first, second) = (Warp.At(_fineFirst, back), Warp.At(_fineSecond, on));
        var (firstShows, secondShows) = (Shows(_forward, _forwardMatch, back, flow), Shows(_backward.negative(), _backwardMatch, on, flow));
        var (firstShare, secondShare) = (firstShows.Times(1 - time), secondShows.Times(time));
        var moved = (first * firstShare).Add(second * secondShare).div(firstShare.Add(secondShare).Add(1e-6));
        var faded = _first.Times(1 - time).Add(_second.Times(time));
        var trust = maximum(firstShows, secondShows);
        return (moved * trust).Add(faded * trust.OneMinus()).MoveToOuterDisposeScope();
    }

    // Whether a neighbour shows, at the places looked up, something that moves as it should: [1, 1, H, W] in 0…1.
    private static Tensor Shows(Tensor flow, Tensor match, Tensor places, Tensor expected) =>
        Warp.Inside(places).to(ScalarType.Float32) * Warp.At(match, places) * Alike(Warp.At(flow, places), expected);

    private static Tensor Alike(Tensor flow, Tensor other) => (flow - other).Square().sum(1, keepdim: true).Over(-2 * Tolerance * Tolerance).exp();

    private static Tensor Match(Tensor difference) => difference.Over(Another).Square().negative().exp();

    // A movement is credible where the pictures agree with it, and the way back. Of movements that are equally so, the one that stands out from most of
    // the picture's is more likely in front.
    private static Tensor Credit(Tensor difference, Tensor flow, Tensor way)
    {
        using var scope = NewDisposeScope();
        var agrees = difference.Over(-Noise).exp();
        var returns = Alike(Warp.By(way, flow).negative(), flow);
        var distance = (flow - OpticalFlow.Usual(flow)).Square().sum(1, keepdim: true).sqrt();
        var standsOut = distance.div(distance.Add(1)).Add(2);
        return agrees.Add(1e-3).mul(returns.Add(1e-2)).mul(standsOut).MoveToOuterDisposeScope();
    }
}
