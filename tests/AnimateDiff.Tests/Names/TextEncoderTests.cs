using AnimateDiff.Text;

namespace AnimateDiff.Tests.Names;

public class TextEncoderTests
{
    [Fact]
    public void Names_and_shapes_are_those_of_the_SD15_text_encoder()
    {
        using var model = new ClipTextModel(new ClipTextConfig(), META);
        var expected = File.ReadAllLines(Path.Combine(Goldens.Repository, "tests", "goldens", "names", "clip-text-sd15.txt"));
        var found = model.state_dict().Select(entry => $"{entry.Key} [{string.Join(", ", entry.Value.shape)}]");
        Assert.Equal(expected.Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
        Assert.Equal(196, expected.Length);
        Assert.Equal(123_060_480, model.parameters().Sum(parameter => parameter.numel()));
    }
}
