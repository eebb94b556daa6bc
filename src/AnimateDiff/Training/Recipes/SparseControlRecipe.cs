using AnimateDiff.Control;
using AnimateDiff.Denoising;
using AnimateDiff.Training.Dataset;
using AnimateDiff.Video;
using TorchSharp.Modules;

namespace AnimateDiff.Training.Recipes;

/// <summary>
/// A SparseCtrl encoder (Guo et al. 2023, arXiv 2311.16933, §3.2) on clips of which some frames are given: a random number of them at random places, so that one
/// encoder serves a first picture, key frames and whole clips.
/// </summary>
internal sealed class SparseControlRecipe : ControlRecipe
{
    // It begins with zeros instead of the noisy latents, so that this weight never does anything.
    private const string Unused = "conv_in.weight";

    private readonly SparseControlNetModel _net;

    public SparseControlRecipe(TrainingRecipe options, TrainingModels models) : this(options, models, ControlStart.Sparse(options, models)) { }

    private SparseControlRecipe(TrainingRecipe options, TrainingModels models, (SparseControlNetModel Model, string Config) start)
        : base(options, models, start.Model, start.Config, "sparsectrl") => _net = start.Model;

    public override IEnumerable<(string Name, Parameter Parameter)> Trainable => base.Trainable.Where(entry => entry.Name != Unused);

    /// <summary>The frames of a sample that are given: 1 to <paramref name="most"/> of them, each number and each choice as likely as any other.</summary>
    /// <returns>Numbers from 0, ascending.</returns>
    internal static int[] Given(SampleDraw draw, int frames, int? most) =>
    [
        .. Enumerable.Range(0, frames).OrderBy(frame => draw.Bits(TrainingSample.ConditionOrder + frame))
            .Take(1 + draw.Below(TrainingSample.ConditionCount, most ?? frames)).Order(),
    ];

    protected override ClipCondition Condition(IReadOnlyList<TrainingSample> batch, Tensor latents)
    {
        var frames = (int)latents.shape[2];
        var given = stack([.. batch.Select(sample => Mask(sample, frames))]);                                // [B, 1, F, 1, 1]
        var pictures = FollowsPictures ? stack([.. batch.Select(sample => Tensor01(Picture(sample)))]) : latents;
        var mask = given.to(pictures.dtype, pictures.device).expand(pictures.shape[0], 1, frames, pictures.shape[3], pictures.shape[4]);
        return new ClipCondition(pictures * mask, mask);
    }

    protected override Tensor Features(ClipCondition condition)
    {
        using var scope = NewDisposeScope();
        Tensor Images(Tensor clips) => clips.transpose(1, 2).flatten(0, 1);                                  // [B, C, F, H, W] → [B·F, C, H, W]
        return _net.Embed(Images(condition.Pictures), Images(condition.Mask!)).MoveToOuterDisposeScope();
    }

    protected override ControlResiduals Residuals(Tensor noisy, Tensor timesteps, TextContext text, Tensor features) =>
        _net.Forward(timesteps, text, features, noisy.shape[0], noisy.shape[2]);

    /// <summary>The frames that are given, annotated one like the other; black in the places of others.</summary>
    protected override VideoFrames Picture(TrainingSample sample)
    {
        var (all, given) = (sample.Followed!, Given(sample.Draw, sample.Followed!.Frames, Options.MaxConditionFrames));
        var shown = Options.Condition.Of(new VideoFrames(given.Length, all.Height, all.Width, [.. given.SelectMany(frame => all[frame].ToArray())]));
        var pixels = new byte[all.Pixels.Length];
        foreach (var (i, frame) in given.Index())
            shown[i].CopyTo(pixels.AsSpan(frame * all.Height * all.Width * 3));
        return new VideoFrames(all.Frames, all.Height, all.Width, pixels);
    }

    private Tensor Mask(TrainingSample sample, int frames)
    {
        var mask = new float[frames];
        foreach (var frame in Given(sample.Draw, frames, Options.MaxConditionFrames))
            mask[frame] = 1;
        return tensor(mask, [1, frames, 1, 1]);
    }
}
