using AnimateDiff.Denoising;
using AnimateDiff.Layers;

namespace AnimateDiff.Tests.Denoising;

public sealed class FrameKeysTests
{
    private const int Clips = 2, Frames = 3, Tokens = 5, Channels = 8;

    [Theory]
    [InlineData("Own")]
    [InlineData("First")]
    [InlineData("FirstAndFormer")]
    public void EachFrameAttendsToTheFramesItIsToldTo(string name)
    {
        var kind = Enum.Parse<FrameAttention>(name);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        manual_seed(3);
        using var attention = new Attention(Channels, heads: 2);
        var tokens = randn(Clips * Frames, Tokens, Channels);
        var all = new FrameKeys(kind, Clips).Attend(attention, tokens);
        for (var row = 0; row < Clips * Frames; row++)
        {
            var first = row / Frames * Frames;
            long[] seen = kind switch
            {
                FrameAttention.Own => [row],
                FrameAttention.First => [first],
                _ => [first, Math.Max(row - 1, first)],
            };
            var context = cat([.. seen.Select(frame => tokens[frame])], 0).unsqueeze(0);
            var alone = attention.call(tokens.narrow(0, row, 1), attention.Project(context));
            Assert.True(allclose(alone[0], all[row], rtol: 0, atol: 1e-6), $"frame {row}");
        }
    }
}
