using AnimateDiff.Plots;
using AnimateDiff.Training.Logging;

namespace AnimateDiff.Tests.Training.Logging;

public sealed class EventFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Checksum_is_crc32c()
    {
        Assert.Equal(0xE3069283u, EventRecords.Crc("123456789"u8));         // the check value of CRC-32C
        Assert.Equal(0x8A9136AAu, EventRecords.Crc(new byte[32]));          // RFC 3720, B.4
        var crc = EventRecords.Crc("123456789"u8);
        Assert.Equal(unchecked((crc >> 15 | crc << 17) + 0xA282EAD8u), EventFile.MaskedCrc("123456789"u8));
    }

    [Fact]
    public void Scalars_read_back()
    {
        var events = Write(log =>
        {
            log.Step(3_000_000_000, 0.5, 1e-4, 2, 0.25);
            log.Validation(7, [1, 2]);
            log.Step(8, double.NaN, 1e-4, 2, 0.25);
        });
        Assert.Equal("brain.Event:2", events[0].Text("file_version"));
        Assert.Equal(1, events[1].Inner("session_log").Integer("status"));  // START
        var values = events.Skip(2).Select(message => (message.Integer("step"), Value(message).Text("tag"), (float)Value(message)["simple_value"])).ToArray();
        Assert.Equal(
        [
            (3_000_000_000, "train/loss", 0.5f), (3_000_000_000, "train/learning_rate", 1e-4f), (3_000_000_000, "train/gradient_norm", 2f), (3_000_000_000, "train/clips_per_second", 0.25f),
            (7, "validation/mean", 1.5f), (7, "validation/bucket-0", 1f), (7, "validation/bucket-1", 2f),
            (8, "train/loss", float.NaN), (8, "train/learning_rate", 1e-4f), (8, "train/gradient_norm", 2f), (8, "train/clips_per_second", 0.25f),
        ], values);
        Assert.All(events, message => Assert.InRange((double)message["wall_time"], 1.7e9, 1e11));   // seconds since 1970
    }

    [Fact]
    public void Pictures_read_back_with_their_size()
    {
        var path = _folder["sample.png"];
        new Canvas(300, 200).Write(path);
        var value = Value(Write(log => log.Picture(5, "samples/corgi", path))[^1]);
        var image = value.Inner("image");
        Assert.Equal(("samples/corgi", 300, 200, 3), (value.Text("tag"), image.Integer("width"), image.Integer("height"), image.Integer("colorspace")));
        Assert.Equal(File.ReadAllBytes(path), (byte[])image["encoded_image_string"]);
    }

    private static EventRecords.Message Value(EventRecords.Message message) => message.Inner("summary").Inner("value");

    private List<EventRecords.Message> Write(Action<TrainingLog> write)
    {
        using (var log = TrainingLog.Open(_folder["run"], 0))
            write(log);
        return EventRecords.Read(Directory.GetFiles(_folder["run"], EventFile.Prefix + "*").Single());
    }
}
