using System.Buffers.Binary;
using System.Text;

namespace AnimateDiff.Tests.Training.Logging;

/// <summary>
/// A reader of TensorBoard's event files, written from tensorboard's event.proto and summary.proto and from RFC 3720's bitwise CRC-32C, not from the writer.
/// </summary>
internal static class EventRecords
{
    /// <summary>A message's fields by their names in the .proto files: numbers, bytes, or messages.</summary>
    public sealed class Message : Dictionary<string, object>
    {
        public long Integer(string name) => TryGetValue(name, out var value) ? (long)(ulong)value : 0;
        public string Text(string name) => Encoding.UTF8.GetString((byte[])this[name]);
        public Message Inner(string name) => (Message)this[name];
    }

    private static readonly Dictionary<(string Type, ulong Field), (string Name, string? Type)> Fields = new()
    {
        [("Event", 1)] = ("wall_time", null),
        [("Event", 2)] = ("step", null),
        [("Event", 3)] = ("file_version", null),
        [("Event", 5)] = ("summary", "Summary"),
        [("Event", 7)] = ("session_log", "SessionLog"),
        [("SessionLog", 1)] = ("status", null),
        [("Summary", 1)] = ("value", "Value"),
        [("Value", 1)] = ("tag", null),
        [("Value", 2)] = ("simple_value", null),
        [("Value", 4)] = ("image", "Image"),
        [("Image", 1)] = ("height", null),
        [("Image", 2)] = ("width", null),
        [("Image", 3)] = ("colorspace", null),
        [("Image", 4)] = ("encoded_image_string", null),
    };

    /// <summary>All events of a file; throws where a checksum or a length does not fit.</summary>
    public static List<Message> Read(string path)
    {
        var bytes = File.ReadAllBytes(path).AsSpan();
        var events = new List<Message>();
        while (bytes.Length > 0)
        {
            var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            Assert.Equal(Masked(bytes[..8]), BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]));
            Assert.Equal(Masked(bytes.Slice(12, length)), BinaryPrimitives.ReadUInt32LittleEndian(bytes[(12 + length)..]));
            events.Add(Parse("Event", bytes.Slice(12, length)));
            bytes = bytes[(16 + length)..];
        }
        return events;
    }

    public static uint Crc(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var value in data)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc & 1) == 0 ? crc >> 1 : crc >> 1 ^ 0x82F63B78;
        }
        return ~crc;
    }

    private static uint Masked(ReadOnlySpan<byte> data)
    {
        var crc = Crc(data);
        return unchecked((crc >> 15 | crc << 17) + 0xA282EAD8u);
    }

    private static Message Parse(string type, ReadOnlySpan<byte> bytes)
    {
        var message = new Message();
        while (bytes.Length > 0)
        {
            var key = Varint(ref bytes);
            var (name, inner) = Fields[(type, key >> 3)];
            switch (key & 7)
            {
                case 0:
                    message.Add(name, Varint(ref bytes));
                    break;
                case 1:
                    message.Add(name, BinaryPrimitives.ReadDoubleLittleEndian(bytes));
                    bytes = bytes[8..];
                    break;
                case 5:
                    message.Add(name, BinaryPrimitives.ReadSingleLittleEndian(bytes));
                    bytes = bytes[4..];
                    break;
                case 2:
                    var length = (int)Varint(ref bytes);
                    message.Add(name, inner is null ? bytes[..length].ToArray() : Parse(inner, bytes[..length]));
                    bytes = bytes[length..];
                    break;
                default:
                    throw new InvalidDataException($"Wire type {key & 7}.");
            }
        }
        return message;
    }

    private static ulong Varint(ref ReadOnlySpan<byte> bytes)
    {
        var value = 0ul;
        for (var shift = 0; ; shift += 7)
        {
            var next = bytes[0];
            bytes = bytes[1..];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }
    }
}
