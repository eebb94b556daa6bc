namespace AnimateDiff.Training.Recipes;

/// <summary>What a control network follows in a batch of clips.</summary>
/// <param name="Pictures">[B, 3, F, H, W] in 0…1, or latents [B, 4, F, h, w]; zero in frames that are not given.</param>
/// <param name="Mask">SparseCtrl: [B, 1, F, …], of the size of the pictures, 1 in frames that are given; null for ControlNet, which is given all.</param>
internal sealed record ClipCondition(Tensor Pictures, Tensor? Mask = null);
