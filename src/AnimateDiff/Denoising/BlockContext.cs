using AnimateDiff.Layers;

namespace AnimateDiff.Denoising;

/// <summary>What all blocks of one UNet call share, and how they run their layers: with activations kept or recomputed.</summary>
/// <param name="Time">SiLU of the time embedding, [B, T].</param>
/// <param name="Text">Keys and values of the text.</param>
/// <param name="Clips">B: clips in the batch of images [B·F, C, H, W].</param>
/// <param name="ResnetSets">Sets of images that the resnets normalise apart: B·F, or B for statistics across frames.</param>
/// <param name="MotionSets">The same for the motion modules.</param>
/// <param name="Recompute">Runs the layers so that the backward pass recomputes them; null where it does not.</param>
/// <param name="Pieces">Runs the layers on a few images at a time; null for all at once.</param>
/// <param name="FrameAttention">Whose keys and values the self-attention of the image layers sees.</param>
/// <param name="Deep">What an earlier call has left, or where this call's is kept; null where every call is by itself.</param>
internal sealed record BlockContext(Tensor Time, TextContext Text, long Clips, long ResnetSets, long MotionSets, FrameAttention FrameAttention = FrameAttention.Own,
    Recompute? Recompute = null, Pieces? Pieces = null, DeepFeatures? Deep = null)
{
    /// <summary>Outputs of the way down that are wanted; all but where inner layers are left out.</summary>
    public int Skips => Deep?.Skips ?? int.MaxValue;

    /// <summary>A resnet; <paramref name="images"/> are [B·F, C, H, W], here and below.</summary>
    public Tensor Run(ResnetBlock2D resnet, Tensor images) => InPieces(images.shape[0])
        ? Pieces!.Run(images, Clips, piece => resnet.call(piece.Of(images), piece.Row(Time), piece.Count))
        : Run(own => resnet.call(own[0], own[1], ResnetSets), images, Time);

    /// <summary>A resnet of what comes from below and a skip from across; <paramref name="images"/> are let go of.</summary>
    /// <param name="resnet">The resnet.</param>
    /// <param name="images">[B·F, C, H, W]</param>
    /// <param name="skip">[B·F, S, H, W]</param>
    /// <param name="join">Joins them to [B·F, C + S, H, W].</param>
    public Tensor Run(ResnetBlock2D resnet, Tensor images, Tensor skip, Func<Tensor, Tensor, Tensor> join) => InPieces(images.shape[0])
        ? images.Then(all => Pieces!.Run(all, Clips, piece => join(piece.Of(all), piece.Of(skip)).Then(joined => resnet.call(joined, piece.Row(Time), piece.Count))))
        : images.Then(all => join(all, skip)).Then(joined => Run(resnet, joined));

    /// <summary>Twice the size.</summary>
    public Tensor Run(Upsample2D upsampler, Tensor images, (long Height, long Width) size) => Pieces is null
        ? upsampler.call(images, size)
        : Pieces.Run(images, Clips, piece => upsampler.call(piece.Of(images), size));

    /// <summary>Attention within the images and to the text.</summary>
    public Tensor Run(SpatialTransformer attention, Tensor images)
    {
        var layer = attention.CrossAttention;
        var context = Text.For(layer);
        if (Pieces is not null && FrameAttention == FrameAttention.Own && !attention.MixesFrames)
            return Pieces.Run(images, Clips, piece =>
            {
                using var own = Text.Of(layer, piece);
                return attention.call(piece.Of(images), own, new FrameKeys(FrameAttention.Own, 1));
            });
        return Run(own => attention.call(own[0], Text.With(layer, context with { Key = own[1], Value = own[2] }), new FrameKeys(FrameAttention, Clips)), images, context.Key, context.Value);
    }

    /// <summary>A motion module.</summary>
    public Tensor Run(MotionModule motion, Tensor images) => Run(own => motion.call(own[0], this), images);

    // Statistics across frames need them all.
    private bool InPieces(long images) => Pieces is not null && ResnetSets == images;

    private Tensor Run(Func<IReadOnlyList<Tensor>, Tensor> layer, params Tensor[] inputs)
        => Recompute is null ? Recompute.Plain(layer, inputs) : Recompute.Run(layer, inputs);
}
