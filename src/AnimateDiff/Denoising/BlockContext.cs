using AnimateDiff.Layers;

namespace AnimateDiff.Denoising;

/// <summary>What all blocks of one UNet call share, and how they run their layers: with activations kept or recomputed.</summary>
/// <param name="Time">SiLU of the time embedding, [B, T].</param>
/// <param name="Text">Keys and values of the text.</param>
/// <param name="Clips">B: clips in the batch of images [B·F, C, H, W].</param>
/// <param name="ResnetSets">Sets of images that the resnets normalise apart: B·F, or B for statistics across frames.</param>
/// <param name="MotionSets">The same for the motion modules.</param>
/// <param name="Recompute">Runs the layers so that the backward pass recomputes them; null where it does not.</param>
internal sealed record BlockContext(Tensor Time, TextContext Text, long Clips, long ResnetSets, long MotionSets, Recompute? Recompute = null)
{
    /// <summary>A resnet; <paramref name="images"/> are [B·F, C, H, W], here and below.</summary>
    public Tensor Run(ResnetBlock2D resnet, Tensor images) => Run(own => resnet.call(own[0], own[1], ResnetSets), images, Time);

    /// <summary>Attention within the images and to the text.</summary>
    public Tensor Run(SpatialTransformer attention, Tensor images)
    {
        var layer = attention.CrossAttention;
        var context = Text.For(layer);
        return Run(own => attention.call(own[0], Text.With(layer, context with { Key = own[1], Value = own[2] })), images, context.Key, context.Value);
    }

    /// <summary>A motion module.</summary>
    public Tensor Run(MotionModule motion, Tensor images) => Run(own => motion.call(own[0], this), images);

    private Tensor Run(Func<IReadOnlyList<Tensor>, Tensor> layer, params Tensor[] inputs)
        => Recompute is null ? Recompute.Plain(layer, inputs) : Recompute.Run(layer, inputs);
}
