using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using AnimateDiff.Video;

namespace AnimateDiff.Toybox;

/// <summary>How much of the world is rendered.</summary>
/// <param name="Images">Single pictures.</param>
/// <param name="Neon">Single pictures in the neon look.</param>
/// <param name="Videos">Clips with the mark.</param>
/// <param name="Validation">Clips with the mark that are no training clips.</param>
/// <param name="Camera">Large stills.</param>
internal sealed record ToyboxOptions(int Images = 6000, int Neon = 1500, int Videos = 1500, int Validation = 40, int Camera = 60);

/// <summary>How far the rendering is.</summary>
/// <param name="Folder">The folder at work.</param>
/// <param name="Done">Its files done.</param>
/// <param name="Total">Its files in all.</param>
internal readonly record struct ToyboxProgress(string Folder, int Done, int Total);

/// <summary>Renders the data set: a folder with captions for each kind of training, and the vocabulary.</summary>
internal static class ToyboxWriter
{
    /// <summary>Side of the stills over which a camera can move.</summary>
    public const int CameraSize = 128;

    /// <summary>Frames per second of the clips.</summary>
    public const int Fps = 8;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>
    /// Renders <c>images/</c>, <c>neon/</c>, <c>camera/</c> (PNG), <c>videos/</c>, <c>validation/</c> (lossless WebP), each with a <c>captions.jsonl</c>, and
    /// <c>tokenizer/</c>. The folder appears complete or not at all, and equal seeds make equal bytes.
    /// </summary>
    /// <param name="folder">Where; must be missing or empty.</param>
    /// <param name="seed">Which world.</param>
    /// <param name="options">How much of it.</param>
    /// <param name="progress">Told of every file, from several threads.</param>
    /// <param name="cancellationToken">Stops between files and leaves nothing.</param>
    /// <exception cref="RequestException">The folder holds something already.</exception>
    /// <exception cref="FileException">The folder cannot be written to.</exception>
    public static Task WriteAsync(
        string folder, ulong seed, ToyboxOptions options, IProgress<ToyboxProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (File.Exists(target) || Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())
            throw new RequestException($"'{folder}' is not empty, and the data set is written only as a whole; name a new folder or empty it.");
        return OutputFile.TranslateAsync(folder, async () =>
        {
            var parent = Path.GetDirectoryName(target) ?? throw new IOException("Not the name of a folder");
            var temporary = Path.Combine(parent, OutputFile.TemporaryName());
            Directory.CreateDirectory(temporary);
            try
            {
                ToyVocabulary.Write(Path.Combine(temporary, "tokenizer"));
                await Pictures("images", 0, options.Images, ToyLook.Normal);
                await Pictures("neon", 1, options.Neon, ToyLook.Neon);
                await Part("camera", 2, options.Camera, "png", (path, scene, _) =>
                    File.WriteAllBytesAsync(path, Png(ToyRenderer.Frame(scene, 0, size: CameraSize), CameraSize), cancellationToken), ToyMovement.Still);
                await Clips("videos", 3, options.Videos);
                await Clips("validation", 4, options.Validation);
                if (Directory.Exists(target))
                    Directory.Delete(target);
                Directory.Move(temporary, target);
            }
            finally
            {
                if (Directory.Exists(temporary))
                    Directory.Delete(temporary, recursive: true);
            }

            Task Pictures(string name, int part, int count, ToyLook look) => Part(name, part, count, "png", (path, scene, random) =>
                File.WriteAllBytesAsync(path, Png(ToyRenderer.Frame(scene, random.Uniform(100), look), ToyRenderer.Size), cancellationToken));

            Task Clips(string name, int part, int count) => Part(name, part, count, "webp", (path, scene, _) =>
                VideoWriter.WriteAsync(path, ToyRenderer.Clip(scene, watermark: true), Fps, "{}", cancellationToken: cancellationToken));

            async Task Part(string name, int part, int count, string extension, Func<string, ToyScene, ToyRandom, Task> write, ToyMovement? movement = null)
            {
                var own = Directory.CreateDirectory(Path.Combine(temporary, name)).FullName;
                var world = new ToyRandom(seed, part).Child();
                var lines = new string[count];
                var done = 0;
                await Parallel.ForAsync(0, count, cancellationToken, async (index, _) =>
                {
                    var file = $"{index:000000}.{extension}";
                    var scene = ToyScene.Draw(world, index, movement);
                    await write(Path.Combine(own, file), scene, new ToyRandom(world, index));
                    lines[index] = JsonSerializer.Serialize(new { file_name = file, text = scene.Caption, scene }, Json);
                    progress?.Report(new ToyboxProgress(name, Interlocked.Increment(ref done), count));
                });
                await File.WriteAllTextAsync(Path.Combine(own, "captions.jsonl"), string.Concat(lines.Select(line => line + "\n")), cancellationToken);
            }
        });
    }

    /// <summary>The scene of a line of <c>captions.jsonl</c>.</summary>
    /// <exception cref="JsonException">The line is none.</exception>
    public static ToyScene ReadScene(string line)
    {
        using var entry = JsonDocument.Parse(line);
        return entry.RootElement.GetProperty("scene").Deserialize<ToyScene>(Json)!;
    }

    private static byte[] Png(byte[] pixels, int size) =>
        PngWriter.Stills(new EncodeJob(new VideoFrames(1, size, size, pixels), Fps, "", null, CancellationToken.None)).Single();
}
