using System.Globalization;
using System.Text;
using FFMpegCore;
using FFMpegCore.Enums;
using FFMpegCore.Exceptions;
using FFMpegCore.Pipes;

namespace AnimateDiff.Video;

/// <summary>How ffmpeg encodes a kind of file.</summary>
/// <param name="Arguments">Codec, quality and container.</param>
/// <param name="EvenSizes">Whether width and height must be even.</param>
internal sealed record FfmpegCodec(string Arguments, bool EvenSizes);

/// <summary>Video files by the ffmpeg program. Pixels and recipe go through pipes: there are no intermediate files.</summary>
internal static class FfmpegEncoder
{
    public static readonly FfmpegCodec Mp4 = new("-c:v libx264 -preset medium -crf 18 -movflags +faststart -f mp4", EvenSizes: true);
    public static readonly FfmpegCodec WebM = new("-c:v libvpx-vp9 -crf 18 -b:v 0 -deadline good -cpu-used 3 -row-mt 1 -f webm", EvenSizes: false);

    // Without a stated matrix, programs guess BT.601 or BT.709 from the size of the picture, and the colours shift.
    private const string Colours = "-pix_fmt yuv420p -vf scale=out_color_matrix=bt709:out_range=tv:flags=lanczos+accurate_rnd+full_chroma_int"
        + " -colorspace bt709 -color_primaries bt709 -color_trc iec61966-2-1 -color_range tv";

    public static async Task WriteAsync(string path, EncodeJob job, FfmpegCodec codec)
    {
        var options = Ffmpeg.Options;
        var frames = new FrameSource(job, codec.EvenSizes);
        FFMpegResult result;
        try
        {
            var program = FFMpegArguments
                .FromPipeInput(frames)
                .AddPipeInput(new MetadataSource(job.Recipe))
                .OutputToFile(Ffmpeg.Quotable(path), overwrite: true, output => output
                    .WithCustomArgument($"-map 0:v -map_metadata 1 {Colours} -threads {Math.Clamp(get_num_threads(), 1, 16)} {codec.Arguments}"))
                .WithLogLevel(FFMpegLogLevel.Error)
                .CancellableThrough(out var end);
            using var ending = Ffmpeg.EndBy(job.Cancellation, end);
            result = await program.ProcessAsynchronously(throwOnError: true, options);
        }
        catch (FFMpegProcessException error)
        {
            result = error.Result;
        }
        // A disk that is full at the very end is told in a message, with exit code 0.
        if (!result.Success || result.StandardError.Count > 0)
            throw new IOException("ffmpeg: " + Ffmpeg.LastWords(result.StandardError.Select(line => line.Replace(path, "the file"))));
        if (frames.Written < job.Frames.Frames)                             // ffmpeg does not know that more should have come
        {
            job.Cancellation.ThrowIfCancellationRequested();
            throw new IOException($"only {frames.Written} of {job.Frames.Frames} frames were made");
        }
    }

    /// <summary>The frames as raw RGB, one after the other.</summary>
    private sealed class FrameSource(EncodeJob job, bool evenSizes) : IPipeSource
    {
        private readonly int _width = job.Frames.Width + (evenSizes ? job.Frames.Width % 2 : 0);
        private readonly int _height = job.Frames.Height + (evenSizes ? job.Frames.Height % 2 : 0);

        /// <summary>Number of frames that ffmpeg has got.</summary>
        public int Written { get; private set; }

        public string GetStreamArguments()
            => string.Create(CultureInfo.InvariantCulture, $"-f rawvideo -pix_fmt rgb24 -s {_width}x{_height} -framerate {job.Fps:0.######}");

        public async Task WriteAsync(Stream outputStream, CancellationToken cancellationToken)
        {
            await foreach (var frame in job.Frames.Pixels.WithCancellation(cancellationToken))
            {
                job.Cancellation.ThrowIfCancellationRequested();
                await outputStream.WriteAsync(Padded(frame), cancellationToken);
                Written++;
                job.Progress?.Report(Written);
            }
        }

        private ReadOnlyMemory<byte> Padded(ReadOnlyMemory<byte> frame)
        {
            if (_width == job.Frames.Width && _height == job.Frames.Height)
                return frame;
            var padded = new byte[_height * _width * 3];
            for (var y = 0; y < _height; y++)
            {
                var row = frame.Span.Slice(Math.Min(y, job.Frames.Height - 1) * job.Frames.Width * 3, job.Frames.Width * 3);
                row.CopyTo(padded.AsSpan(y * _width * 3));
                if (_width > job.Frames.Width)
                    row[^3..].CopyTo(padded.AsSpan(((y + 1) * _width - 1) * 3));
            }
            return padded;
        }
    }

    /// <summary>The recipe as ffmpeg's metadata file: on the command line its length would be limited.</summary>
    private sealed class MetadataSource(string recipe) : IPipeSource
    {
        public string GetStreamArguments() => "-f ffmetadata";

        public Task WriteAsync(Stream outputStream, CancellationToken cancellationToken)
        {
            var text = new StringBuilder(";FFMETADATA1\ncomment=");
            foreach (var character in recipe)
            {
                if (character is '=' or ';' or '#' or '\\' or '\n' or '\r')
                    text.Append('\\');
                text.Append(character);
            }
            return outputStream.WriteAsync(Encoding.UTF8.GetBytes(text.Append('\n').ToString()), cancellationToken).AsTask();
        }
    }
}
