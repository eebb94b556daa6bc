using AnimateDiff.Evaluation;

namespace AnimateDiff.Tests.Evaluation;

public sealed class FidelityTests
{
    [Fact]
    public void Psnr_is_that_of_the_mean_square_difference()
    {
        var clip = MadeClips.Of(2, 9, 7, (_, _, _) => 100 / 255.0);
        Assert.Equal(60, Fidelity.Psnr(clip, clip));
        Assert.Equal(34.1514, Fidelity.Psnr(clip, MadeClips.Of(2, 9, 7, (_, _, _) => 105 / 255.0)), 4);
        Assert.Equal(34.1514 + 3.0103, Fidelity.Psnr(clip, MadeClips.Of(2, 9, 7, (frame, _, _) => (100 + 5 * frame) / 255.0)), 4);       // only the second frame differs
    }

    [Fact]
    public void Ssim_is_1_for_equal_clips_and_the_formulas_for_plain_ones()
    {
        var clip = MadeClips.Moving(2, 32, 24, 1, 0);
        Assert.Equal(1, Fidelity.Ssim(clip, clip), 1e-5);
        double c1 = Math.Pow(0.01 * 255, 2);
        var plain = Fidelity.Ssim(MadeClips.Of(1, 20, 20, (_, _, _) => 50 / 255.0), MadeClips.Of(1, 20, 20, (_, _, _) => 90 / 255.0));
        Assert.Equal((2 * 50 * 90 + c1) / (50 * 50 + 90 * 90 + c1), plain, 1e-3);
    }

    /// <summary>Half the contrast: 2σₓσᵧ/(σₓ² + σᵧ²) = 0.8 where the means are equal; opposite structure is negative.</summary>
    [Fact]
    public void Ssim_sees_contrast_and_structure()
    {
        double Board(int x, int y) => (x + y) % 2 == 0 ? 0.3 : -0.3;
        var clip = MadeClips.Of(1, 32, 32, (_, x, y) => 0.5 + Board(x, y));
        Assert.Equal(0.8, Fidelity.Ssim(clip, MadeClips.Of(1, 32, 32, (_, x, y) => 0.5 + Board(x, y) / 2)), 0.01);
        Assert.InRange(Fidelity.Ssim(clip, MadeClips.Of(1, 32, 32, (_, x, y) => 0.5 - Board(x, y))), -1, -0.9);
    }
}
