using AnimateDiff.Video;

namespace AnimateDiff.Tests.Video;

/// <summary>Files that are written while their frames are made.</summary>
public sealed class ClipFileTests : IDisposable
{
    private const int Frames = 21;
    private static readonly VideoFrames Clip = Clips.Noise(Frames, 18, 12);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("clip.gif")]
    [InlineData("clip.webp")]
    [InlineData("clip.apng")]
    [InlineData("clip.mp4")]
    [InlineData("clip.webm")]
    [InlineData("clip/")]
    public async Task The_file_is_the_one_of_the_whole_clip(string name)
    {
        var made = 0;
        await ClipFile.WriteAsync(_folder["made/" + name], Frames, 8, Task.FromResult("{\"seed\": 1}"), append => Task.Run(() =>
        {
            foreach (var part in Enumerable.Range(0, Frames).Chunk(4))
            {
                using var images = Clip.Select([.. part.Select(frame => (long)frame)]).ToTensor();
                append(images);
                made += part.Length;
            }
        }), CancellationToken.None);
        await VideoWriter.WriteAsync(_folder["whole/" + name], Clip, 8, "{\"seed\": 1}");
        Assert.Equal(Frames, made);
        Assert.Equal("{\"seed\": 1}", RecipeReader.Read(_folder["made/" + name]));
        var (one, other) = (await VideoReader.ReadAsync(_folder["made/" + name]), await VideoReader.ReadAsync(_folder["whole/" + name]));
        Assert.Equal(other.Frames.Pixels.ToArray(), one.Frames.Pixels.ToArray());
        Assert.Equal(other.Fps, one.Fps);
        if (!name.EndsWith('/') && !name.EndsWith(".webm"))                 // WebM has a random number of its own in each file
            Assert.Equal(File.ReadAllBytes(_folder["whole/" + name]), File.ReadAllBytes(_folder["made/" + name]));
    }

    /// <summary>Frames are written before the last is made: more than those that may wait could otherwise not be made at all.</summary>
    [Fact]
    public async Task Frames_are_written_while_others_are_still_to_be_made()
    {
        var seen = 0;
        await ClipFile.WriteAsync(_folder["clip/"], Frames, 8, Task.FromResult("{}"), append => Task.Run(async () =>
        {
            for (var frame = 0; frame < Frames - 1; frame++)
                Append(append, frame);
            while (seen == 0)
            {
                seen = _folder.Entries.Count(entry => entry.EndsWith(".png"));
                await Task.Delay(5);
            }
            Append(append, Frames - 1);
        }), TestContext.Current.CancellationToken);
        Assert.InRange(seen, 1, Frames - 1);
        Assert.Equal(Frames + 2, _folder.Entries.Length);                   // and the folder and run.json, but nothing unfinished
    }

    [Theory]
    [InlineData("clip.gif")]
    [InlineData("clip.mp4")]
    [InlineData("clip/")]
    public async Task What_ends_the_making_ends_the_file(string name)
    {
        var error = await Assert.ThrowsAsync<InvalidDataException>(() => ClipFile.WriteAsync(_folder[name], Frames, 8, Task.FromResult("{}"), append => Task.Run(() =>
        {
            for (var frame = 0; frame < 12; frame++)
                Append(append, frame);
            throw new InvalidDataException("no more");
        }), CancellationToken.None));
        Assert.Equal("no more", error.Message);
        Assert.Empty(_folder.Entries);
    }

    [Theory]
    [InlineData("clip.webp")]
    [InlineData("clip.webm")]
    public async Task Cancelling_in_the_middle_leaves_nothing(string name)
    {
        using var source = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ClipFile.WriteAsync(_folder[name], Frames, 8, Task.FromResult("{}"), append => Task.Run(() =>
        {
            for (var frame = 0; frame < Frames; frame++)
            {
                if (frame == 14)
                    source.Cancel();
                Append(append, frame);
            }
        }), source.Token));
        Assert.Empty(_folder.Entries);
    }

    /// <summary>Who makes frames waits for who writes them, and must learn that nobody does any more, and why.</summary>
    [Theory]
    [InlineData("clip.gif")]
    [InlineData("clip.mp4")]
    public async Task What_ends_the_writing_ends_the_making(string name)
    {
        _folder.Write("file", "no folder");
        var made = 0;
        var error = await Assert.ThrowsAsync<FileException>(() => ClipFile.WriteAsync(_folder["file/" + name], 1000, 8, Task.FromResult("{}"), append => Task.Run(() =>
        {
            for (; made < 1000; made++)
                Append(append, 0);
        }), CancellationToken.None));
        Assert.Contains(name, error.Message);
        Assert.InRange(made, 0, 20);
        await Assert.ThrowsAsync<ArgumentException>(() => ClipFile.WriteAsync(_folder["wrong.gif"], 2, 8, Task.FromResult("no recipe"), append => Task.Run(() => Append(append, 0)), CancellationToken.None));
        Assert.Equal(["file"], _folder.Entries);
    }

    [Fact]
    public async Task Too_few_frames_make_no_file()
    {
        foreach (var name in (string[])["clip.gif", "clip.mp4"])
            await Assert.ThrowsAsync<InvalidOperationException>(() => ClipFile.WriteAsync(_folder[name], 3, 8, Task.FromResult("{}"), append => Task.Run(() => Append(append, 0)), CancellationToken.None));
        Assert.Empty(_folder.Entries);
    }

    private static void Append(Action<Tensor> append, int frame)
    {
        using var images = Clip.Select([frame]).ToTensor();
        append(images);
    }
}
