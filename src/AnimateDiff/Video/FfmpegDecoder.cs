using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using FFMpegCore;
using FFMpegCore.Enums;
using FFMpegCore.Exceptions;
using FFMpegCore.Pipes;

namespace AnimateDiff.Video;

/// <summary>Video files read by the ffmpeg program, frame by frame.</summary>
internal static class FfmpegDecoder
{
    // Frames as the file has them, none doubled or dropped for a constant rate; damage ends the reading instead of being painted over. In the PPM format each
    // frame tells its own size, which a rotation in the file can make another than that of the stream.
    private const string Arguments = "-xerror -map 0:v:0 -vsync 0 -sws_flags bicubic+accurate_rnd+full_chroma_int -pix_fmt rgb24 -c:v ppm -f image2pipe";

    /// <summary>What ffprobe says about a file.</summary>
    /// <exception cref="IOException">ffprobe does not understand the file.</exception>
    /// <exception cref="FileException">ffmpeg is missing.</exception>
    public static IMediaAnalysis Analyse(string path)
    {
        // Our own process: FFProbe.Analyse finds no file whose name has a quote. "sv=ignore": ffprobe would replace characters that it thinks invalid.
        string[] arguments = ["-v", "error", "-of", "json=sv=ignore", "-show_format", "-show_streams", Path.GetFullPath(path)];
        var start = new ProcessStartInfo(Path.Combine(Ffmpeg.Folder, "ffprobe"), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        using var ffprobe = Process.Start(start) ?? throw new IOException("ffprobe did not start");
        var messages = ffprobe.StandardError.ReadToEndAsync();
        var json = ffprobe.StandardOutput.ReadToEnd();
        ffprobe.WaitForExit();
        try
        {
            return ffprobe.ExitCode == 0 ? FFProbe.FromJson(json) : throw new IOException("ffprobe: " + Ffmpeg.LastWords(messages.Result.Split('\n')));
        }
        catch (Exception error) when (error is FFMpegException or JsonException or FormatException)
        {
            throw new IOException("ffprobe knows no video in it", error);
        }
    }

    /// <summary>The number of frames in the first video stream, from its packets: nothing is decoded.</summary>
    /// <exception cref="IOException">ffprobe does not understand the file, or it has no video.</exception>
    /// <exception cref="FileException">ffmpeg is missing.</exception>
    public static async Task<int> CountFramesAsync(string path, CancellationToken cancellationToken)
    {
        string[] arguments = ["-v", "error", "-select_streams", "v:0", "-show_entries", "packet=flags", "-of", "csv=p=0", Path.GetFullPath(path)];
        var start = new ProcessStartInfo(Path.Combine(Ffmpeg.Folder, "ffprobe"), arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var ffprobe = Process.Start(start) ?? throw new IOException("ffprobe did not start");
        try
        {
            var messages = ffprobe.StandardError.ReadToEndAsync(cancellationToken);
            var count = 0;
            while (await ffprobe.StandardOutput.ReadLineAsync(cancellationToken) is { } flags)
                count += flags.Length > 0 && !flags.Contains('D') ? 1 : 0;                 // D: decoded for others' sake, never shown
            await ffprobe.WaitForExitAsync(cancellationToken);
            if (ffprobe.ExitCode != 0)
                throw new IOException("ffprobe: " + Ffmpeg.LastWords((await messages).Split('\n')));
            return count > 0 ? count : throw new IOException("it has no video");
        }
        catch (OperationCanceledException)
        {
            ffprobe.Kill();
            throw;
        }
    }

    /// <summary>The frames of the first video stream.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Stops between frames.</param>
    /// <param name="chosen">Numbers of the frames to give, ascending; the file is read up to the last of them, and their durations stay unknown. Null for all.</param>
    /// <exception cref="IOException">The file has no video, or is damaged.</exception>
    public static async IAsyncEnumerable<DecodedFrame> ReadAsync(
        string path, [EnumeratorCancellation] CancellationToken cancellationToken, IReadOnlyCollection<int>? chosen = null)
    {
        double? seconds = null;
        if (chosen is null)                                        // who chooses frames has counted them, and needs no rate
        {
            var stream = Analyse(path).PrimaryVideoStream ?? throw new IOException("it has no video");
            seconds = stream.AverageFrameRate is > 0 and < 10_000 ? 1 / stream.AverageFrameRate : null;
        }

        var frames = Channel.CreateBounded<DecodedFrame>(2);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var decoding = DecodeAsync(path, seconds, Choice(chosen), frames.Writer, stop.Token);
        try
        {
            await foreach (var frame in frames.Reader.ReadAllAsync(cancellationToken))
                yield return frame;
        }
        finally
        {
            await stop.CancelAsync();          // the caller may stop in the middle
            await decoding;
        }
    }

    /// <summary>Frames that are not chosen are decoded and dropped inside ffmpeg: most of the time goes into their pixels.</summary>
    private static string Choice(IReadOnlyCollection<int>? chosen) => chosen is null ? ""
        : $"-vf \"select='{string.Join('+', chosen.Select(frame => $"eq(n,{frame})"))}'\" -frames:v {chosen.Count} ";

    private static async Task DecodeAsync(
        string path, double? seconds, string choice, ChannelWriter<DecodedFrame> frames, CancellationToken cancellationToken)
    {
        try
        {
            var sink = new StreamPipeSink(async (pipe, _) =>
            {
                using var buffer = new BufferedStream(pipe, 1 << 16);
                while (await ReadPixmapAsync(buffer, cancellationToken) is { } frame)
                    await frames.WriteAsync(frame with { Seconds = seconds }, cancellationToken);
            });
            var program = FFMpegArguments.FromFileInput(Ffmpeg.Quotable(path), verifyExists: false)
                .OutputToPipe(sink, output => output.WithCustomArgument(choice + Arguments))
                .WithLogLevel(FFMpegLogLevel.Error)
                .CancellableThrough(out var end);
            using var ending = Ffmpeg.EndBy(cancellationToken, end);
            var result = await program.ProcessAsynchronously(throwOnError: true, Ffmpeg.Options, CancellationToken.None);
            // A file that is cut short ends well for ffmpeg, with a message.
            frames.Complete(result.StandardError.Count == 0 ? null : new IOException("ffmpeg: " + Ffmpeg.LastWords(result.StandardError)));
        }
        catch (FFMpegProcessException error)
        {
            frames.Complete(new IOException("ffmpeg: " + Ffmpeg.LastWords(error.Result.StandardError), error));
        }
        catch (Exception error)
        {
            frames.Complete(error);
        }
    }

    /// <summary>One picture of the PPM format: "P6 width height 255" in three lines, then the pixels. Null at the end.</summary>
    private static async Task<DecodedFrame?> ReadPixmapAsync(BufferedStream stream, CancellationToken cancellationToken)
    {
        var header = new StringBuilder();
        var letter = new byte[1];
        for (var lines = 0; lines < 3; lines += letter[0] == '\n' ? 1 : 0)
        {
            if (await stream.ReadAsync(letter, cancellationToken) == 0)
                return null;
            header.Append((char)letter[0]);
        }
        var words = header.ToString().Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        var (width, height) = (int.Parse(words[1], CultureInfo.InvariantCulture), int.Parse(words[2], CultureInfo.InvariantCulture));
        var pixels = new byte[height * width * 3];
        return await stream.ReadAtLeastAsync(pixels, pixels.Length, throwOnEndOfStream: false, cancellationToken) == pixels.Length
            ? new DecodedFrame(pixels, width, height, null)
            : null;
    }
}
