using System.Diagnostics;
using AnimateDiff.Video;
using ImageMagick;

namespace AnimateDiff.Tests.Video;

public sealed class RecipeReaderTests
{
    [Theory]
    [InlineData("clip.gif")]
    [InlineData("clip.webp")]
    [InlineData("clip.apng")]
    [InlineData("clip.mp4")]
    [InlineData("clip.webm")]
    [InlineData("clip/")]
    public async Task A_recipe_comes_back_to_the_letter(string name)
    {
        using var folder = new TempFolder();
        foreach (var recipe in new[] { Clips.NastyRecipe, "{}", "{\"even\": 1}", "{\"odd\": 10}" })
        {
            await VideoWriter.WriteAsync(folder[name], Clips.Moving(3, 32, 32), 8, recipe);
            Assert.Equal(recipe, RecipeReader.Read(folder[name]));
        }
        var renamed = folder["renamed.bin"];
        if (name != "clip/")
            File.Move(folder[name], renamed);
        else
            File.Move(folder["clip/002.png"], renamed);
        Assert.Equal("{\"odd\": 10}", RecipeReader.Read(renamed));
    }

    [Fact]
    public async Task Names_with_spaces_quotes_and_signs_are_only_names()
    {
        using var folder = new TempFolder();
        var deep = folder["a \"b\" 'c' %d [0] $HOME"];
        Directory.CreateDirectory(deep);
        foreach (var extension in new[] { ".gif", ".webp", ".apng", ".mp4", ".webm", "/" })
        {
            var path = Path.Combine(deep, "-x y:z\\ \"q\" %03d" + extension);
            await VideoWriter.WriteAsync(path, Clips.Flat(2, 16, 16), 8, "{}");
            Assert.Equal("{}", RecipeReader.Read(path));
            Assert.Equal(2, (await VideoReader.ReadAsync(path)).Frames.Frames);
        }
    }

    [Fact]
    public async Task Other_programs_read_the_recipe_where_they_look_for_comments()
    {
        using var folder = new TempFolder();
        foreach (var name in new[] { "clip.gif", "clip.webp", "clip.png" })
            await VideoWriter.WriteAsync(folder[name], Clips.Flat(2, 16, 16), 8, "{\"prompt\": \"猫\"}");
        using var gif = new MagickImage(folder["clip.gif"]);
        Assert.Equal("{\"prompt\": \"猫\"}", gif.Comment);
        using var png = new MagickImage(folder["clip.png"]);
        Assert.Equal("{\"prompt\": \"猫\"}", png.GetAttribute("animatediff"));
        var webp = File.ReadAllBytes(folder["clip.webp"]);
        var packet = new XmpProfile(webp[webp.AsSpan().IndexOf("<?xpacket"u8)..].AsSpan().TrimEnd((byte)0).ToArray());
        Assert.Contains("{\"prompt\": \"猫\"}", packet.ToXDocument()!.Root!.Value);
    }

    [Fact]
    public void A_file_without_a_recipe_says_so()
    {
        using var folder = new TempFolder();
        using var image = new MagickImage(MagickColors.Red, 8, 8) { Comment = "Created with something else" };
        foreach (var format in new[] { MagickFormat.Gif, MagickFormat.WebP, MagickFormat.Png, MagickFormat.Jpeg })
            image.Write(folder["x." + format], format);
        Run("-f", "lavfi", "-i", "color=red:s=16x16:d=1", "-metadata", "comment=hello", folder["x.mp4"]);
        File.WriteAllText(folder["x.json"], "{ \"broken\": ");
        foreach (var name in folder.Entries)
            Assert.Contains("has no AnimateDiff recipe", Assert.Throws<FileException>(() => RecipeReader.Read(folder[name])).Message);
        Assert.Contains("does not exist", Assert.Throws<FileException>(() => RecipeReader.Read(folder["none.gif"])).Message);
        Assert.Contains("does not exist", Assert.Throws<FileException>(() => RecipeReader.Read(folder.Path)).Message);
    }

    [Theory]
    [InlineData("clip.gif")]
    [InlineData("clip.webp")]
    [InlineData("clip.apng")]
    [InlineData("clip.mp4")]
    public async Task A_file_cut_anywhere_gives_its_recipe_or_a_clear_error(string name)
    {
        using var folder = new TempFolder();
        await VideoWriter.WriteAsync(folder[name], Clips.Flat(2, 16, 16), 8, "{}");
        var bytes = File.ReadAllBytes(folder[name]);
        for (var length = 0; length < bytes.Length; length += name == "clip.mp4" ? bytes.Length / 4 : 7)
        {
            File.WriteAllBytes(folder["cut"], bytes[..length]);
            try
            {
                Assert.Equal("{}", RecipeReader.Read(folder["cut"]));
            }
            catch (FileException)
            {
            }
        }
    }

    [Fact]
    public async Task Only_json_objects_are_recipes()
    {
        using var folder = new TempFolder();
        foreach (var text in new[] { "", "[1]", "text", "{\"half\": \"\uD83C\"}" })
            await Assert.ThrowsAsync<ArgumentException>(() => VideoWriter.WriteAsync(folder["clip.gif"], Clips.Flat(1, 8, 8), 8, text));
        Assert.Empty(folder.Entries);
    }

    internal static void Run(params string[] arguments)
    {
        using var ffmpeg = Process.Start("ffmpeg", ["-nostdin", "-v", "error", "-y", .. arguments]);
        ffmpeg.WaitForExit();
        Assert.Equal(0, ffmpeg.ExitCode);
    }
}
