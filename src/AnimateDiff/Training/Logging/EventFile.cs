using System.Buffers.Binary;
using System.Numerics;
using Google.Protobuf;
using Tensorboard;

namespace AnimateDiff.Training.Logging;

/// <summary>
/// TensorBoard's event file: records of length, masked CRC-32C of the length, an <see cref="Event"/>, masked CRC-32C of that
/// (tensorflow/core/lib/io/record_writer.h). The messages are TorchSharp's; its SummaryWriter is not used: it has 32-bit steps, opens the file for
/// every value, and needs SkiaSharp's native library for pictures.
/// </summary>
internal sealed class EventFile : IDisposable
{
    /// <summary>What names of event files begin with; TensorBoard reads those of a folder in the order of their names.</summary>
    public const string Prefix = "events.out.tfevents.";

    private readonly FileStream _stream;
    private readonly TimeProvider _time;

    /// <summary>Begins a further event file; what earlier files of the folder say of <paramref name="firstStep"/> and later steps is void.</summary>
    public EventFile(string folder, long firstStep, TimeProvider time)
    {
        _time = time;
        var number = Directory.EnumerateFiles(folder, Prefix + "*").Count();            // two within a second are in order too
        _stream = new FileStream(Path.Combine(folder, $"{Prefix}{time.GetUtcNow().ToUnixTimeSeconds():D10}.animatediff.{number:D3}"), FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        Write(new Event { FileVersion = "brain.Event:2" });
        Write(new Event { Step = firstStep, SessionLog = new SessionLog { Status = SessionLog.Types.SessionStatus.Start } });
    }

    /// <summary>A number, shown as a curve over the steps.</summary>
    public void Scalar(string tag, double value, long step) => Write(step, new Summary.Types.Value { Tag = tag, SimpleValue = (float)value });

    /// <summary>An encoded picture (PNG, JPEG, GIF) of <paramref name="width"/> × <paramref name="height"/> pixels.</summary>
    public void Picture(string tag, byte[] encoded, int width, int height, long step)
    {
        const int rgb = 3;
        Write(step, new Summary.Types.Value
        {
            Tag = tag,
            Image = new Summary.Types.Image { Height = height, Width = width, Colorspace = rgb, EncodedImageString = UnsafeByteOperations.UnsafeWrap(encoded) },
        });
    }

    public void Dispose() => _stream.Dispose();

    /// <summary>CRC-32C as record files keep it: rotated and shifted, so that a CRC over data with CRCs in it stays a good one.</summary>
    internal static uint MaskedCrc(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var value in data)
            crc = BitOperations.Crc32C(crc, value);
        return BitOperations.RotateRight(~crc, 15) + 0xA282EAD8;
    }

    private void Write(long step, Summary.Types.Value value) => Write(new Event { Step = step, Summary = new Summary { Value = { value } } });

    private void Write(Event message)
    {
        message.WallTime = _time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;
        var body = message.ToByteArray();
        var record = new byte[8 + 4 + body.Length + 4];
        BinaryPrimitives.WriteInt64LittleEndian(record, body.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), MaskedCrc(record.AsSpan(0, 8)));
        body.CopyTo(record, 12);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12 + body.Length), MaskedCrc(body));
        _stream.Write(record);
        _stream.Flush();
    }
}
