using AnimateDiff.Finishing;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Finishing;

public class FrameInterpolationTests(ITestOutputHelper output)
{
    private const int Size = 64;

    /// <summary>Decibels that following what moves must gain over showing both neighbours at once.</summary>
    public static TheoryData<string, double> Movements => new()
    {
        { "pan 3,1", 12 }, { "pan 5.5,-2.5", 6 }, { "zoom 1.05", 5 }, { "disc 6,2", 6 }, { "plain disc 5,1", 6 }, { "plain disc 10,-4", 6 }, { "small plain disc 9,3", 4 },
    };

    [Theory]
    [MemberData(nameof(Movements))]
    public void The_frame_between_is_nearer_to_the_truth_than_a_cross_fade(string movement, double gain)
    {
        var scene = SceneOf(movement);
        var (ends, truth) = (Scenes.Render(scene, Size, 0, 1), Scenes.Render(scene, Size, 0.25, 0.5, 0.75));

        var made = Apply(ends, 4, closed: false);

        Assert.Equal(5, made.Frames);
        for (var k = 1; k < 4; k++)
        {
            var (own, fade) = (Scenes.Psnr(made[k], truth[k - 1]), Scenes.Psnr(Scenes.Fade(ends, 0, k / 4.0), truth[k - 1]));
            output.WriteLine($"{movement} at {k / 4.0}: {own:0.0} dB, cross-fade {fade:0.0} dB");
            Assert.InRange(own - fade, gain, 100);
        }
    }

    [Theory]
    [InlineData(2, false, 5)]
    [InlineData(2, true, 6)]
    [InlineData(4, false, 9)]
    [InlineData(4, true, 12)]
    public void Old_frames_stay_as_they_are_among_the_new_ones(int factor, bool closed, int expected)
    {
        var clip = Scenes.Render(Scenes.Pan(2, 0), 24, 0, 1, 2);
        var made = Apply(clip, factor, closed);
        Assert.Equal(expected, made.Frames);
        for (var frame = 0; frame < clip.Frames; frame++)
            Assert.Equal(clip[frame].ToArray(), made[frame * factor].ToArray());
        Assert.Equal(made.Pixels.ToArray(), Apply(clip, factor, closed).Pixels.ToArray());
    }

    /// <summary>Nothing in the second frame is where it was: the fall-back is the cross-fade, and no frame is black or torn.</summary>
    [Fact]
    public void A_cut_is_cross_faded()
    {
        var (one, other) = (Scenes.Render(Scenes.Pan(0, 0), Size, 0), Scenes.Render((x, y, _) => (x + y) % 16 < 8 ? (1, 1, 1) : (0, 0, 0.2), Size, 0));
        var cut = new VideoFrames(2, Size, Size, [.. one.Pixels.Span, .. other.Pixels.Span]);
        var made = Apply(cut, 2, closed: false);
        Assert.InRange(Scenes.Psnr(made[1], Scenes.Fade(cut, 0, 0.5)), 24, double.PositiveInfinity);
    }

    [Theory]
    [InlineData(1, 1, 3)]
    [InlineData(2, 7, 2)]
    [InlineData(33, 9, 2)]
    public void Any_size_and_a_still_clip_pass(int width, int height, int frames)
    {
        byte[] picture = [.. Enumerable.Range(0, width * height * 3).Select(i => (byte)(i * 37))];
        var made = Apply(new VideoFrames(frames, height, width, [.. Enumerable.Repeat(picture, frames).SelectMany(pixels => pixels)]), 2, closed: false);
        for (var frame = 0; frame < made.Frames; frame++)
            Assert.InRange(Scenes.Psnr(made[frame], picture), 35, double.PositiveInfinity);
    }

    [Fact]
    public async Task What_cannot_be_made_is_refused()
    {
        var clip = new VideoFrames(2, 4, 4, new byte[96]);
        foreach (var finish in new Finish[] { new(Interpolate: 3), new(Interpolate: 0), new(Upscale: 8), new(UpscaleModel: "x.pth") })
            await Assert.ThrowsAsync<RequestException>(() => ClipFinisher.ApplyAsync(clip, finish, cancellationToken: TestContext.Current.CancellationToken));
        Assert.Throws<RequestException>(() => Finish.After([new(4, 4)], (1000, 1024, 1024), closed: false));
        Assert.Equal((9, 20, 20), Finish.After([new(2, 2), new(4), new(Upscale: 2)], (2, 5, 5), closed: false));
        Assert.Equal((32, 5, 5), Finish.After([new(2), new(4)], (4, 5, 5), closed: true));
        Assert.Equal(8, Finish.Speed([new(2, 2), new(4)]));
    }

    private static VideoFrames Apply(VideoFrames clip, int factor, bool closed)
    {
        using var scope = NewDisposeScope();
        return FrameInterpolation.Apply(clip, factor, closed, (_, _) => { }, TestContext.Current.CancellationToken);
    }

    private static Scenes.Scene SceneOf(string movement)
    {
        var numbers = movement.Split(' ')[^1].Split(',').Select(double.Parse).ToArray();
        return movement switch
        {
            _ when movement.StartsWith("pan") => Scenes.Pan(numbers[0], numbers[1]),
            _ when movement.StartsWith("zoom") => Scenes.Zoom(Size, numbers[0]),
            _ => Scenes.Disc(numbers[0], numbers[1], movement.StartsWith("small") ? 4 : 10, movement.Contains("plain")),
        };
    }
}
