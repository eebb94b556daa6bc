namespace AnimateDiff.Layers;

/// <summary>
/// Images as tokens and back. Images are kept channels-last in memory, so all of these are views: nothing is copied between convolutions and attention.
/// </summary>
internal static class ImageTokens
{
    /// <summary>[N, C, H, W] → [N, H·W, C].</summary>
    public static Tensor ToTokens(this Tensor images)
    {
        using var channelsLast = images.permute(0, 2, 3, 1);
        return channelsLast.flatten(1, 2);
    }

    /// <summary>[N, H·W, C] (or any shape with those elements in that order) → [N, C, H, W] of the size of <paramref name="like"/>.</summary>
    public static Tensor ToImages(this Tensor tokens, Tensor like)
    {
        var shape = like.shape;
        using var channelsLast = tokens.reshape(shape[0], shape[2], shape[3], -1);
        return channelsLast.permute(0, 3, 1, 2);
    }
}
