namespace AnimateDiff.Denoising;

/// <summary>What all blocks of one UNet call share.</summary>
/// <param name="Time">SiLU of the time embedding, [B, T].</param>
/// <param name="Text">Keys and values of the text.</param>
/// <param name="Clips">B: clips in the batch of images [B·F, C, H, W].</param>
/// <param name="ResnetSets">Sets of images that the resnets normalise apart: B·F, or B for statistics across frames.</param>
/// <param name="MotionSets">The same for the motion modules.</param>
internal sealed record BlockContext(Tensor Time, TextContext Text, long Clips, long ResnetSets, long MotionSets);
