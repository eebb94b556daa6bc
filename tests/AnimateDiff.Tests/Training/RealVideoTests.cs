using System.Diagnostics;
using AnimateDiff.Video;

namespace AnimateDiff.Tests.Training;

/// <summary>Training on videos as they come: containers, codecs, sizes, shapes and rates mixed.</summary>
public sealed class RealVideoTests(RealVideoTests.Videos videos) : IClassFixture<RealVideoTests.Videos>, IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("domain-adapter", "")]
    [InlineData("motion-module", "data.stride=2 data.flip=true")]
    [InlineData("motion-lora", "data.camera=pan-left")]
    public async Task It_runs_to_its_end(string stage, string settings)
    {
        string[] others = settings.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var run = await TrainingRuns.RunAsync(_folder, stage, [$"data.path={videos.Path}", "steps=2", "data.frames=5", "data.max_bad_fraction=0", .. others]);   // four samples: every video once
        Assert.All(run.Result.Files, file => Assert.True(System.IO.Path.Exists(file)));
        Assert.All(TrainingRuns.Losses(run.Folder), loss => Assert.InRange(loss, 0.01, 10));
        Assert.DoesNotContain(run.Messages, message => message.Contains("cannot be read"));
        Assert.Contains(run.Messages, message => message.Contains(" 4 "));
    }

    /// <summary>Four videos of a second or less, with the encoders that this machine has.</summary>
    public sealed class Videos : IAsyncLifetime
    {
        private readonly TempFolder _folder = new();

        public string Path => _folder.Path;

        public async ValueTask InitializeAsync()
        {
            await MakeAsync("testsrc=size=160x90:rate=30", "first.mp4", "libx264", "mpeg4");
            await MakeAsync("mandelbrot=size=64x96:rate=24", "second.webm", "libvpx-vp9", "libvpx");
            await MakeAsync("life=size=80x80:rate=10:mold=10:life_color=red:death_color=blue", "third.avi", "mpeg4");
            await MakeAsync("testsrc2=size=100x70:rate=30000/1001", "fourth.mov", "libx265", "libx264", "mpeg4");
        }

        private async Task MakeAsync(string source, string name, params string[] encoders)
        {
            var said = "";
            foreach (var encoder in encoders)
            {
                var info = new ProcessStartInfo(System.IO.Path.Combine(Ffmpeg.Folder, "ffmpeg"),
                    ["-v", "error", "-y", "-f", "lavfi", "-i", source, "-frames:v", "12", "-c:v", encoder, "-pix_fmt", "yuv420p", _folder[name]])
                { RedirectStandardError = true };
                using var process = Process.Start(info)!;
                said = await process.StandardError.ReadToEndAsync();
                await process.WaitForExitAsync();
                if (process.ExitCode == 0)
                    return;
            }
            throw new InvalidOperationException($"{name} could not be made: {said}");
        }

        public ValueTask DisposeAsync()
        {
            _folder.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
