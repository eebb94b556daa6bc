using AnimateDiff.Configs;
using AnimateDiff.Training.Dataset;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Training.Dataset;

/// <summary>Movements are measured on pictures whose colours tell the place: red grows to the right, green downwards, and blue marks the border.</summary>
public sealed class CameraMoveTests
{
    private const int Width = 64, Height = 48, Frames = 9;

    public static TheoryData<string> Movements => [.. KebabNames.Of<CameraMovement>()];

    [Theory]
    [MemberData(nameof(Movements))]
    public void Every_frame_shows_what_its_window_says(string name)
    {
        var move = new CameraMove(KebabNames.Parse<CameraMovement>(name)!.Value, null, Easing.Linear, Width, Height);
        var clip = move.Make(Places(move.Picture), Frames);
        Assert.Equal((Frames, Width, Height), (clip.Frames, clip.Width, clip.Height));
        for (var frame = 0; frame < Frames; frame++)
        {
            var seen = Seen(clip, frame, move.Picture);
            var window = move.Window(frame, Frames);
            Assert.Equal((window.X, window.Y, window.Scale), (seen.X, seen.Y, seen.Scale), Close(0.4, 0.4, 0.02));
            Assert.Equal(double.RadiansToDegrees(window.Turn), seen.Degrees, 0.6);
        }
    }

    [Theory]
    [InlineData("zoom-in", 1.5, 0, 0, 0)]
    [InlineData("zoom-out", 1 / 1.5, 0, 0, 0)]
    [InlineData("pan-left", 1, -0.25, 0, 0)]
    [InlineData("pan-right", 1, 0.25, 0, 0)]
    [InlineData("tilt-up", 1, 0, -0.25, 0)]
    [InlineData("tilt-down", 1, 0, 0.25, 0)]
    [InlineData("roll-cw", 1, 0, 0, 20)]
    [InlineData("roll-ccw", 1, 0, 0, -20)]
    public void The_whole_change_has_the_size_and_direction_of_its_name(string name, double magnified, double right, double down, double clockwise)
    {
        var move = new CameraMove(KebabNames.Parse<CameraMovement>(name)!.Value, null, Easing.Linear, Width, Height);
        var clip = move.Make(Places(move.Picture), Frames);
        var (first, last) = (Seen(clip, 0, move.Picture), Seen(clip, Frames - 1, move.Picture));
        Assert.Equal(magnified, first.Scale / last.Scale, 0.03);
        Assert.Equal(right * Width, last.X - first.X, 0.6);
        Assert.Equal(down * Height, last.Y - first.Y, 0.6);
        Assert.Equal(clockwise, last.Degrees - first.Degrees, 0.8);
    }

    [Fact]
    public void A_thing_above_the_centre_moves_to_the_right_when_the_picture_turns_clockwise()
    {
        var move = new CameraMove(CameraMovement.RollCw, 40, Easing.Linear, Width, Height);
        var (rows, columns) = (move.Picture.Height, move.Picture.Width);
        var pixels = new byte[rows * columns * 3];
        for (var y = 0; y < rows; y++)
            for (var x = 0; x < columns; x++)
                if (Math.Abs(x + 0.5 - columns / 2.0) < 3 && Math.Abs(y + 0.5 - rows / 2.0 + 15) < 3)
                    pixels[(y * columns + x) * 3] = 255;
        var clip = move.Make(new VideoFrames(1, rows, columns, pixels), Frames);
        var centres = Enumerable.Range(0, Frames).Select(frame => Enumerable.Range(0, Width * Height)
            .Aggregate((Sum: 0.0, X: 0.0), (sum, at) => (sum.Sum + clip[frame][at * 3], sum.X + clip[frame][at * 3] * (at % Width + 0.5)))).Select(sum => sum.X / sum.Sum).ToList();
        Assert.Equal(centres, centres.Order());
        Assert.Equal(2 * 15 * Math.Sin(double.DegreesToRadians(20)), centres[^1] - centres[0], 0.5);
    }

    [Fact]
    public void Pictures_outside_the_crop_are_never_needed_at_any_speed()
    {
        foreach (var movement in Enum.GetValues<CameraMovement>())
            foreach (var (width, height) in new[] { (64, 64), (128, 8), (24, 96) })
                foreach (var part in new[] { 0.01, 0.3, 0.77, 1 })
                {
                    var (least, most) = CameraMove.SpeedRange(movement);
                    var move = new CameraMove(movement, least + part * (most - least), Easing.EaseInOut, width, height);
                    for (var frame = 0; frame < 25; frame++)
                    {
                        var window = move.Window(frame, 25);
                        var (sine, cosine) = Math.SinCos(Math.Abs(window.Turn));
                        var reachX = window.Scale * (width * cosine + height * sine) / 2;
                        var reachY = window.Scale * (height * cosine + width * sine) / 2;
                        Assert.True(window.X - reachX > -1e-6 && window.X + reachX < move.Picture.Width + 1e-6, $"{movement} {width}×{height} {part} {frame}");
                        Assert.True(window.Y - reachY > -1e-6 && window.Y + reachY < move.Picture.Height + 1e-6, $"{movement} {width}×{height} {part} {frame}");
                    }
                }
    }

    [Fact]
    public void Eased_movements_start_and_end_slowly_and_go_equally_far()
    {
        CameraMove Move(Easing easing) => new(CameraMovement.PanRight, 0.5, easing, Width, Height);
        var (linear, eased) = (Move(Easing.Linear), Move(Easing.EaseInOut));
        foreach (var frame in new[] { 0, 8, 16 })
            Assert.Equal(linear.Window(frame, 17).X, eased.Window(frame, 17).X, 1e-9);
        var steps = Enumerable.Range(0, 16).Select(frame => eased.Window(frame + 1, 17).X - eased.Window(frame, 17).X).ToList();
        Assert.True(steps[0] < steps[3] && steps[3] < steps[7] && steps[15] < steps[12] && steps[0] > 0 && steps[0] < 0.25 * steps[7]);
    }

    [Fact]
    public async Task Clips_are_made_from_an_image_and_from_a_video_that_runs_on()
    {
        using var folder = new TempFolder();
        var options = Numbered.Options(folder["still.webp"], folder["video.webp"]) with { Camera = CameraMovement.PanRight, CameraSpeed = 1, Stride = 1 };
        var still = Places(new FrameSize(32, 16));
        await VideoWriter.WriteAsync(folder["still.webp"], still, 8, "{}");
        await Numbered.WriteAsync(folder["video.webp"], 12);
        var set = await Numbered.OpenAsync(options);
        var made = await set.ReadAsync(0, default, TestContext.Current.CancellationToken);
        Assert.Equal((4, 16, 16), (made.Frames, made.Width, made.Height));
        Assert.Equal([0.0, 16 / 3.0, 32 / 3.0, 16], Enumerable.Range(0, 4).Select(frame => Seen(made, frame, new FrameSize(32, 16)).X - 8), Close(0.3));
        var running = await set.ReadAsync(1, SampleDraw.Of(1, 1), TestContext.Current.CancellationToken);
        Assert.Equal(TrainingSet.FrameIndices(12, 4, 1, SampleDraw.Of(1, 1)), Numbered.Of(running));
        var all = await set.ReadAllAsync(0, TestContext.Current.CancellationToken);
        Assert.True(all.Pixels.Span.SequenceEqual(made.Pixels.Span));
        Assert.Equal(4, (await set.ReadAllAsync(1, TestContext.Current.CancellationToken)).Frames);
    }

    /// <summary>Red and green tell x and y, 0…255 over the picture.</summary>
    private static VideoFrames Places(FrameSize size)
    {
        var pixels = new byte[size.Width * size.Height * 3];
        for (var at = 0; at < size.Width * size.Height; at++)
            (pixels[at * 3], pixels[at * 3 + 1]) =
                ((byte)Math.Round((at % size.Width + 0.5) / size.Width * 255), (byte)Math.Round((at / size.Width + 0.5) / size.Height * 255));
        return new VideoFrames(1, size.Height, size.Width, pixels);
    }

    /// <summary>Which part of <see cref="Places"/> a frame shows: means give the centre, slopes the scale and the turn.</summary>
    private static (double X, double Y, double Scale, double Degrees) Seen(VideoFrames clip, int frame, FrameSize size)
    {
        var (x, y, slopeXx, slopeXy, square) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (var row = 0; row < clip.Height; row++)
            for (var column = 0; column < clip.Width; column++)
            {
                var at = (row * clip.Width + column) * 3;
                var (placeX, placeY) = (clip[frame][at] / 255.0 * size.Width, clip[frame][at + 1] / 255.0 * size.Height);
                var along = column + 0.5 - clip.Width / 2.0;
                (x, y, slopeXx, slopeXy, square) = (x + placeX, y + placeY, slopeXx + along * placeX, slopeXy + along * placeY, square + along * along);
            }
        var count = clip.Width * clip.Height;
        // Going right on the frame goes this way in the picture; a picture that seems turned clockwise is then read upwards.
        var (right, down) = (slopeXx / square, slopeXy / square);
        return (x / count, y / count, Math.Sqrt(right * right + down * down), -double.RadiansToDegrees(Math.Atan2(down, right)));
    }

    private static EqualityComparer<(double, double, double)> Close(double a, double b, double c) => EqualityComparer<(double, double, double)>.Create(
        (one, two) => Math.Abs(one.Item1 - two.Item1) < a && Math.Abs(one.Item2 - two.Item2) < b && Math.Abs(one.Item3 - two.Item3) < c);

    private static EqualityComparer<double> Close(double most) => EqualityComparer<double>.Create((one, two) => Math.Abs(one - two) < most);
}
