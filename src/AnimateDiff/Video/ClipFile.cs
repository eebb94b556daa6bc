using System.Threading.Channels;

namespace AnimateDiff.Video;

/// <summary>
/// A clip's file that is written while its frames are made: few of them exist at a time, and who makes them waits for who writes them. The file appears
/// complete or not at all, as <see cref="VideoWriter"/>'s do.
/// </summary>
internal sealed class ClipFile
{
    private const int MostWaiting = 8;

    private readonly Channel<ReadOnlyMemory<byte>> _waiting = Channel.CreateBounded<ReadOnlyMemory<byte>>(MostWaiting);
    private readonly Func<FrameSequence, Task> _write;
    private readonly int _frames;
    private readonly CancellationToken _cancellation;
    private Task? _writing;
    private int _count;

    private ClipFile(Func<FrameSequence, Task> write, int frames, CancellationToken cancellation) => (_write, _frames, _cancellation) = (write, frames, cancellation);

    /// <summary>Writes the frames that <paramref name="make"/> makes.</summary>
    /// <param name="path">As for <see cref="VideoWriter.WriteAsync"/>, as are the next ones.</param>
    /// <param name="frames">Number of frames F.</param>
    /// <param name="fps">Frames per second.</param>
    /// <param name="recipeJson">The recipe, a JSON object, which may be there later than <paramref name="make"/> begins.</param>
    /// <param name="make">Gives F frames to what it is given, which takes [n, 3, H, W] in −1…1.</param>
    /// <param name="cancellationToken">Stops between frames.</param>
    public static async Task WriteAsync(string path, int frames, double fps, Task<string> recipeJson, Func<Action<Tensor>, Task> make, CancellationToken cancellationToken)
    {
        var file = new ClipFile(async clip => await VideoWriter.WriteSequenceAsync(path, clip, fps, await recipeJson, null, cancellationToken), frames, cancellationToken);
        try
        {
            await make(file.Append);
        }
        catch (Exception error)
        {
            await file.AbandonAsync(error);
            throw;
        }
        await file.CompleteAsync();
    }

    // The first frames tell the size and begin the file: while they are still far away, there is none.
    private void Append(Tensor images)
    {
        var pixels = VideoFramesBuilder.Pixels(images, _count);                                              // [n, H, W, 3]
        var (count, height, width) = ((int)images.shape[0], (int)images.shape[2], (int)images.shape[3]);
        _writing ??= Begin(height, width);
        var size = height * width * 3;
        for (var i = 0; i < count; i++)
            Append(pixels.AsMemory(i * size, size));
        _count += count;
    }

    // On the thread that owns the tensors, which has nothing else to do meanwhile.
    private void Append(ReadOnlyMemory<byte> frame)
    {
        try
        {
            _waiting.Writer.WriteAsync(frame, _cancellation).AsTask().GetAwaiter().GetResult();
        }
        catch (ChannelClosedException)
        {
            _writing!.GetAwaiter().GetResult();                                                              // says why nobody writes any more
            throw;
        }
    }

    private async Task Begin(int height, int width)
    {
        try
        {
            await Task.Run(() => _write(new FrameSequence(_frames, height, width, _waiting.Reader.ReadAllAsync(_cancellation))), _cancellation);
        }
        finally
        {
            _waiting.Writer.TryComplete();
        }
    }

    private Task CompleteAsync()
    {
        _waiting.Writer.TryComplete(_count == _frames ? null : new InvalidOperationException($"{_count} of {_frames} frames were made."));
        return _writing ?? throw new InvalidOperationException("No frames were made.");
    }

    /// <summary>Ends the writing, and waits until nothing of it is left.</summary>
    private async Task AbandonAsync(Exception error)
    {
        _waiting.Writer.TryComplete(error);
        if (_writing is not null)
            await _writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
