using AnimateDiff.Evaluation;
using ImageMagick;

namespace AnimateDiff.Tests.Evaluation;

public sealed class MarkStrengthTests : IDisposable
{
    private const int Width = 96, Height = 80;
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(0.5)]
    [InlineData(1)]
    public void The_strength_is_that_with_which_the_mark_was_drawn(double strength)
    {
        var clip = MadeClips.Of(8, Width, Height, (frame, x, y) =>
        {
            var below = 0.6 * MadeClips.Texture(x - 5 * frame, y + 3 * frame);
            return below + strength * Cover(x, y) * (1 - below);
        });
        Assert.Equal(strength, MarkStrength.Of(clip, Mark.Read(Png("mark.png", Width, Height), Width, Height)), 0.05);
        Assert.Equal(strength, MarkStrength.Of(clip, Mark.Read(Png("double.png", 2 * Width, 2 * Height), Width, Height)), 0.12);
    }

    [Fact]
    public void Pictures_that_are_no_mark_are_refused()
    {
        var fit = Png("mark.png", Width, Height);
        Assert.Contains("not the shape", Assert.Throws<FileException>(() => Mark.Read(fit, Width, Width)).Message);
        Assert.Contains("does not exist", Assert.Throws<FileException>(() => Mark.Read(_folder["none.png"], Width, Height)).Message);
        Assert.Contains("no PNG", Assert.Throws<FileException>(() => Mark.Read(_folder.Write("text.png", "hello"), Width, Height)).Message);
        using (var opaque = new MagickImage(MagickColors.Red, 96, 80))
            opaque.Write(_folder["opaque.png"], MagickFormat.Png24);
        Assert.Contains("transparent", Assert.Throws<FileException>(() => Mark.Read(_folder["opaque.png"], Width, Height)).Message);
        _folder.Write("cut.png", File.ReadAllBytes(fit).AsSpan(0, 60));
        Assert.Throws<FileException>(() => Mark.Read(_folder["cut.png"], Width, Height));
    }

    /// <summary>Three bars in the lower right.</summary>
    private static double Cover(double x, double y) => y is >= 60 and < 72 && x is >= 60 and < 84 && x % 8 < 4 ? 0.6 : 0;

    private string Png(string name, int width, int height)
    {
        var pixels = new byte[width * height * 4];
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                new byte[] { 255, 255, 255, (byte)Math.Round(255 * Cover(x * Width / width, y * Height / height)) }.CopyTo(pixels, (y * width + x) * 4);
        using var image = new MagickImage(pixels, new PixelReadSettings((uint)width, (uint)height, StorageType.Char, PixelMapping.RGBA));
        image.Write(_folder[name], MagickFormat.Png32);
        return _folder[name];
    }
}
