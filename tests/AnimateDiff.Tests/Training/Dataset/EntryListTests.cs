using AnimateDiff.Training.Dataset;

namespace AnimateDiff.Tests.Training.Dataset;

public sealed class EntryListTests
{
    [Fact]
    public async Task A_folder_gives_videos_images_and_picture_folders_with_the_captions_beside()
    {
        using var folder = new TempFolder();
        foreach (var name in new[] { "b.mp4", "a.webm", "c.JPG", ".hidden.mp4", "notes.pdf", "inner/d.gif", "frames/000.png", "frames/001.png", "photos/x.png" })
            folder.Write(name, "");
        folder.Write("b.txt", "\uFEFF  a boat\r\n at  sea \n");
        folder.Write("frames.txt", "a flower opens");
        folder.Write("photos/x.txt", "a stone");
        var set = await Numbered.OpenAsync(folder.Path);
        Assert.Equal(["a.webm", "b.mp4", "c.JPG", "frames", "inner/d.gif", "photos/x.png"], Numbered.Names(set));
        Assert.Equal(["", "a boat at sea", "", "a flower opens", "", "a stone"], Numbered.Captions(set));
    }

    [Theory]
    [InlineData("captions.jsonl")]
    [InlineData("metadata.jsonl")]
    public async Task Lines_of_json_in_a_folder_give_captions_and_may_name_missing_files(string list)
    {
        using var folder = new TempFolder();
        foreach (var name in new[] { "a.mp4", "b.mp4", "deep/c.mp4" })
            folder.Write(name, "");
        folder.Write("b.txt", "from the text");
        folder.Write(list, """{"file_name": "a.mp4", "text": "from the list", "fps": 8}""" + "\n\n" + """{"video": "gone.mp4", "caption": "gone \u732b"}""");
        var set = await Numbered.OpenAsync(folder.Path);
        Assert.Equal(["a.mp4", "b.mp4", "deep/c.mp4", "gone.mp4"], Numbered.Names(set));
        Assert.Equal(["from the list", "from the text", "", "gone 猫"], Numbered.Captions(set));
    }

    [Fact]
    public async Task A_list_can_name_images_videos_and_clips_of_inner_folders()
    {
        using var folder = new TempFolder();
        foreach (var name in new[] { "images/0.png", "images/1.png", "clip/000.png", "videos/a.mp4" })
            folder.Write(name, "");
        folder.Write("metadata.jsonl", string.Join('\n', new[] { "images/0.png", "clip", "videos/a.mp4" }.Select(name => $$"""{"file_name": "{{name}}", "text": "of {{name}}"}""")));
        var set = await Numbered.OpenAsync(folder.Path);
        Assert.Equal(["clip", "images/0.png", "images/1.png", "videos/a.mp4"], Numbered.Names(set));
        Assert.Equal(["of clip", "of images/0.png", "", "of videos/a.mp4"], Numbered.Captions(set));
    }

    [Fact]
    public async Task A_file_of_json_lines_is_relative_to_itself_or_to_the_folder_of_videos()
    {
        using var folder = new TempFolder();
        folder.Write("lists/a.jsonl", """{"path": "x/clip.mp4", "text": "one"}""");
        folder.Write("videos/x/clip.mp4", "");
        var beside = await Numbered.OpenAsync(folder["lists/a.jsonl"]);
        Assert.Equal(folder["lists/x/clip.mp4"], beside.Locate(0));
        var elsewhere = await Numbered.OpenAsync(Numbered.Options(folder["lists/a.jsonl"]) with { VideoFolder = folder["videos"] });
        Assert.Equal((folder["videos/x/clip.mp4"], "one"), (elsewhere.Locate(0), elsewhere.Caption(0)));
    }

    [Fact]
    public async Task The_csv_of_WebVid_is_read_with_quotes_and_both_places_of_the_videos()
    {
        using var folder = new TempFolder();
        folder.Write("w.csv", "\uFEFFvideoid,contentUrl,duration,page_dir,name\r\n"
            + "22,https://x/y.mp4,PT00H00M10S,000_001,\"Lake, \"\"quiet\"\",\r\nat dawn\"\r\n\r\n"
            + "11,,,pages,Plain name\r\n33,,,,\"Last\"");
        folder.Write("videos/pages/11.mp4", "");
        folder.Write("videos/22.mp4", "");
        var set = await Numbered.OpenAsync(Numbered.Options(folder["w.csv"]) with { VideoFolder = folder["videos"] });
        Assert.Equal(["11", "22", "33"], Numbered.Names(set));
        Assert.Equal(["Plain name", "Lake, \"quiet\", at dawn", "Last"], Numbered.Captions(set));
        Assert.Equal([folder["videos/pages/11.mp4"], folder["videos/22.mp4"], folder["videos/33.mp4"]], Enumerable.Range(0, 3).Select(set.Locate));
    }

    [Fact]
    public async Task Several_paths_are_one_set_in_the_order_of_names_and_a_limit_takes_the_first()
    {
        using var folder = new TempFolder();
        foreach (var name in new[] { "one/B.mp4", "one/c.mp4", "two/a.mp4", "two/B.mp4" })
            folder.Write(name, "");
        var options = Numbered.Options(folder["two"], folder["one"]);
        Assert.Equal([folder["one/B.mp4"], folder["two/B.mp4"], folder["two/a.mp4"], folder["one/c.mp4"]], Located(await Numbered.OpenAsync(options)));
        Assert.Equal(["B.mp4", "B.mp4", "a.mp4"], Numbered.Names(await Numbered.OpenAsync(options with { Limit = 3 })));
        var single = await Numbered.OpenAsync(folder["one/c.mp4"]);
        Assert.Equal(["c.mp4"], Numbered.Names(single));

        static string[] Located(TrainingSet set) => [.. Enumerable.Range(0, set.Count).Select(set.Locate)];
    }

    [Theory]
    [InlineData("a.csv", "", "is empty")]
    [InlineData("a.csv", "id,name\n1,x", "has the columns id, name, but no videoid")]
    [InlineData("a.csv", "videoid,caption\n1,x", "has the columns videoid, caption, but no name")]
    [InlineData("a.csv", "videoid,name\n1,x\n2,a, b", "line 3: 3 fields, but 2 columns")]
    [InlineData("a.csv", "videoid,name\n1,\"x\n2,y", "line 2: a quote is opened and never closed")]
    [InlineData("a.csv", "videoid,name\n1,\"x\" y", "line 2: “ ” follows a closing quote")]
    [InlineData("a.csv", "videoid,name\n", "lists no entry")]
    [InlineData("a.jsonl", "\n", "lists no entry")]
    [InlineData("a.jsonl", "{\"path\": \"x\", \"text\": \"y\"}\n{path}", "line 2: no JSON")]
    [InlineData("a.jsonl", "[]", "line 1: Array, expected an object")]
    [InlineData("a.jsonl", "{\"path\": 3, \"text\": \"y\"}", "line 1: path is Number")]
    [InlineData("a.jsonl", "{\"file\": \"x\", \"text\": \"y\"}", "line 1: has file, text, but none of file_name, video, path")]
    [InlineData("a.jsonl", "{\"path\": \"x\"}", "line 1: has path, but none of text, caption")]
    [InlineData("a.parquet", "PAR1", "ends in “.parquet”")]
    public async Task A_damaged_list_is_refused_with_its_line(string name, string text, string expected)
    {
        using var folder = new TempFolder();
        folder.Write(name, text);
        var options = Numbered.Options(folder[name]) with { VideoFolder = folder.Path };
        var error = await Assert.ThrowsAsync<FileException>(() => Numbered.OpenAsync(options));
        Assert.Contains(expected, error.Message);
        Assert.Contains(folder[name], error.Message);
    }

    [Fact]
    public async Task Missing_and_empty_folders_and_a_csv_without_videos_are_refused()
    {
        using var folder = new TempFolder();
        folder.Write("w.csv", "videoid,name\n1,x");
        Assert.Contains("no video and no image", (await Assert.ThrowsAsync<FileException>(() => Numbered.OpenAsync(folder.Path))).Message);
        Assert.Contains("does not exist", (await Assert.ThrowsAsync<FileException>(() => Numbered.OpenAsync(folder["none"]))).Message);
        Assert.Contains("data.video_folder", (await Assert.ThrowsAsync<RequestException>(() => Numbered.OpenAsync(folder["w.csv"]))).Message);
        var missing = Numbered.Options(folder["w.csv"]) with { VideoFolder = folder["none"] };
        Assert.Contains("'" + folder["none"] + "' does not exist", (await Assert.ThrowsAsync<FileException>(() => Numbered.OpenAsync(missing))).Message);
    }
}
