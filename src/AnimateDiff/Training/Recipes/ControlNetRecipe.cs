using AnimateDiff.Control;
using AnimateDiff.Denoising;
using AnimateDiff.Video;

namespace AnimateDiff.Training.Recipes;

/// <summary>A ControlNet (Zhang et al. 2023, arXiv 2302.05543, §3) on images and what an annotator makes of them, or pictures that lie beside them.</summary>
internal sealed class ControlNetRecipe : ControlRecipe
{
    private readonly ControlNetModel _net;

    public ControlNetRecipe(TrainingRecipe options, TrainingModels models) : this(options, models, ControlStart.Net(options, models)) { }

    private ControlNetRecipe(TrainingRecipe options, TrainingModels models, (ControlNetModel Model, string Config) start)
        : base(options, models, start.Model, start.Config, "controlnet") => _net = start.Model;

    protected override ClipCondition Condition(IReadOnlyList<TrainingSample> batch, Tensor latents) => new(stack([.. batch.Select(sample => Tensor01(Picture(sample)))]));

    protected override Tensor Features(ClipCondition condition)
    {
        using var scope = NewDisposeScope();
        return _net.Embed(condition.Pictures.transpose(1, 2).flatten(0, 1)).MoveToOuterDisposeScope();       // [B·F, 3, H, W] → [B·F, C, h, w]
    }

    protected override ControlResiduals Residuals(Tensor noisy, Tensor timesteps, TextContext text, Tensor features) => _net.Forward(noisy, timesteps, text, features);

    protected override VideoFrames Picture(TrainingSample sample) => Options.Condition.Of(sample.Followed!);
}
