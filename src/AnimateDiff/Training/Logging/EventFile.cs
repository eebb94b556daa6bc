using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace AnimateDiff.Training.Logging;

/// <summary>
/// TensorBoard's event file: records of length, masked CRC-32C of the length, an <c>Event</c> in protobuf, masked CRC-32C of that
/// (tensorflow/core/lib/io/record_writer.h, tensorboard/compat/proto/event.proto). TorchSharp's SummaryWriter has 32-bit steps, opens the file
/// for every value, and needs SkiaSharp's native library for pictures.
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
        Write(0, message => message.Text(3, "brain.Event:2"));                          // file_version
        Write(firstStep, message => message.Message(7, session => session.Integer(1, 1)));  // session_log: status START
    }

    /// <summary>A number, shown as a curve over the steps.</summary>
    public void Scalar(string tag, double value, long step) => Summary(tag, step, entry => entry.Float(2, (float)value));

    /// <summary>An encoded picture (PNG, JPEG, GIF) of <paramref name="width"/> × <paramref name="height"/> pixels.</summary>
    public void Picture(string tag, byte[] encoded, int width, int height, long step) => Summary(tag, step, entry => entry.Message(4, image =>
    {
        image.Integer(1, height);
        image.Integer(2, width);
        image.Integer(3, 3);                                                            // colorspace: RGB
        image.Bytes(4, encoded);
    }));

    public void Dispose() => _stream.Dispose();

    /// <summary>CRC-32C as record files keep it: rotated and shifted, so that a CRC over data with CRCs in it stays a good one.</summary>
    internal static uint MaskedCrc(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var value in data)
            crc = BitOperations.Crc32C(crc, value);
        return BitOperations.RotateRight(~crc, 15) + 0xA282EAD8;
    }

    private void Summary(string tag, long step, Action<ProtobufMessage> value) => Write(step, message => message.Message(5, summary => summary.Message(1, entry =>
    {
        entry.Text(1, tag);
        value(entry);
    })));

    private void Write(long step, Action<ProtobufMessage> what)
    {
        var message = new ProtobufMessage();
        message.Double(1, _time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0);
        message.Integer(2, step);
        what(message);
        var body = message.ToArray();
        var record = new byte[8 + 4 + body.Length + 4];
        BinaryPrimitives.WriteInt64LittleEndian(record, body.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), MaskedCrc(record.AsSpan(0, 8)));
        body.CopyTo(record, 12);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12 + body.Length), MaskedCrc(body));
        _stream.Write(record);
        _stream.Flush();
    }

    /// <summary>The wire format of protobuf, as far as events need it.</summary>
    private sealed class ProtobufMessage
    {
        private readonly MemoryStream _bytes = new();

        public byte[] ToArray() => _bytes.ToArray();

        public void Integer(int field, long value)
        {
            Varint((ulong)field << 3);
            Varint((ulong)value);
        }

        public void Double(int field, double value)
        {
            Varint((ulong)field << 3 | 1);
            Span<byte> bytes = stackalloc byte[8];
            BinaryPrimitives.WriteDoubleLittleEndian(bytes, value);
            _bytes.Write(bytes);
        }

        public void Float(int field, float value)
        {
            Varint((ulong)field << 3 | 5);
            Span<byte> bytes = stackalloc byte[4];
            BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
            _bytes.Write(bytes);
        }

        public void Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

        public void Bytes(int field, ReadOnlySpan<byte> value)
        {
            Varint((ulong)field << 3 | 2);
            Varint((ulong)value.Length);
            _bytes.Write(value);
        }

        public void Message(int field, Action<ProtobufMessage> fill)
        {
            var inner = new ProtobufMessage();
            fill(inner);
            Bytes(field, inner.ToArray());
        }

        private void Varint(ulong value)
        {
            for (; value >= 0x80; value >>= 7)
                _bytes.WriteByte((byte)(value | 0x80));
            _bytes.WriteByte((byte)value);
        }
    }
}
