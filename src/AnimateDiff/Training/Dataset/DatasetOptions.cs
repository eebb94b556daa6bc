using AnimateDiff.Configs;

namespace AnimateDiff.Training.Dataset;

/// <summary>What a training run reads and how: the <c>data:</c> section of a recipe.</summary>
internal sealed record DatasetOptions
{
    /// <summary>Key <c>path</c>, one or a list: WebVid CSVs, JSONL files, folders of videos or images, single videos. They are read as one set.</summary>
    public required IReadOnlyList<string> Paths { get; init; }

    /// <summary>Key <c>video_folder</c>: where the videos of a CSV (and the relative paths of a JSONL file) are; a JSONL file's own folder without it.</summary>
    public string? VideoFolder { get; init; }

    /// <summary>The caption of every entry, which is then looked for nowhere else; null for each one's own. The stage that tunes on one video sets it.</summary>
    public string? Caption { get; init; }

    /// <summary>
    /// Key <c>conditions</c>: a folder with a picture or clip for every entry, under the entry's name with any ending, which a control network follows; null for none.
    /// Not with <see cref="Camera"/>.
    /// </summary>
    public string? Conditions { get; init; }

    /// <summary>Key <c>frames</c>: frames of a sample, 1…1000. 1: single random frames, of videos or images.</summary>
    public int Frames { get; init; } = 16;

    /// <summary>Key <c>stride</c>: frames of the video from one frame of a sample to the next, 1…1000.</summary>
    public int Stride { get; init; } = 4;

    /// <summary>Key <c>start</c>: the frame of the video that every sample begins with, from 0; null for a random one. The video must have all frames of a sample from there.</summary>
    public int? Start { get; init; }

    /// <summary>Key <c>width</c> in pixels, a multiple of 8, 8…4096.</summary>
    public int Width { get; init; } = 256;

    /// <summary>Key <c>height</c> in pixels, a multiple of 8, 8…4096.</summary>
    public int Height { get; init; } = 256;

    /// <summary>Key <c>flip</c>: mirrors every second sample, at random, and swaps left and right in its caption. Not with <see cref="Camera"/>.</summary>
    public bool Flip { get; init; }

    /// <summary>Key <c>limit</c>: only the first so many entries in the order of their names, at least 1; null for all.</summary>
    public int? Limit { get; init; }

    /// <summary>Key <c>max_bad_fraction</c>, 0…1: a run ends when a larger part of the entries cannot be read.</summary>
    public double MaxBadFraction { get; init; } = 0.05;

    /// <summary>Key <c>camera</c>: makes this movement of the camera out of images or videos; null for the clips as they are.</summary>
    public CameraMovement? Camera { get; init; }

    /// <summary>
    /// Key <c>camera_speed</c>, the whole change over a clip. Zoom: a factor, 1…4 (1.5). Pan and tilt: the way as a part of the width or height, 0…2 (0.25).
    /// Roll: degrees, 0…90 (20). Null for the default in parentheses.
    /// </summary>
    public double? CameraSpeed { get; init; }

    /// <summary>Key <c>camera_easing</c>: how the movement is spread over the clip.</summary>
    public Easing CameraEasing { get; init; }

    /// <summary>Reads the <c>data:</c> section of a recipe; valid afterwards.</summary>
    /// <param name="data">The section.</param>
    /// <param name="video">The one video that is read instead of <c>path</c>; null where <c>path</c> says what is.</param>
    /// <exception cref="RequestException">A key is unknown or missing, or a value is wrong.</exception>
    public static DatasetOptions Read(YamlSection data, string? video = null)
    {
        var defaults = new DatasetOptions { Paths = [] };
        var options = new DatasetOptions
        {
            Paths = video is not null ? [video] : data.Texts("path") is { Count: > 0 } paths ? paths : throw data.Error("path", "a CSV, a JSONL file, a folder or a list of them is expected"),
            VideoFolder = data.Text("video_folder"),
            Conditions = data.Text("conditions"),
            Frames = data.Count("frames") ?? defaults.Frames,
            Stride = data.Count("stride") ?? defaults.Stride,
            Start = data.Count("start", least: 0),
            Width = data.Count("width") ?? defaults.Width,
            Height = data.Count("height") ?? defaults.Height,
            Flip = data.Flag("flip") ?? defaults.Flip,
            Limit = data.Count("limit"),
            MaxBadFraction = data.Number("max_bad_fraction") ?? defaults.MaxBadFraction,
            Camera = data.Choice<CameraMovement>("camera"),
            CameraSpeed = data.Number("camera_speed"),
            CameraEasing = data.Choice<Easing>("camera_easing") ?? defaults.CameraEasing,
        };
        data.Close();
        options.Validate();
        return options;
    }

    /// <summary>Checks every value and that they go together.</summary>
    /// <exception cref="RequestException">One does not; the message names it, its value and the range.</exception>
    public void Validate()
    {
        Require(Paths.Count > 0 && !Paths.Any(string.IsNullOrWhiteSpace), "data.path is empty", "name a CSV, a JSONL file or a folder");
        Require(Frames is >= 1 and <= 1000, $"data.frames is {Frames}", "expected 1 to 1000");
        Require(Stride is >= 1 and <= 1000, $"data.stride is {Stride}", "expected 1 to 1000");
        Require(Width is >= 8 and <= 4096 && Width % 8 == 0, $"data.width is {Width}", "expected a multiple of 8 from 8 to 4096");
        Require(Height is >= 8 and <= 4096 && Height % 8 == 0, $"data.height is {Height}", "expected a multiple of 8 from 8 to 4096");
        Require(Start is not < 0, $"data.start is {Start}", "expected the number of a frame, from 0, or no start at all");
        Require(Start is null || Camera is null, "data.start and data.camera do not go together", "a movement is made of a whole clip; remove one of the two");
        Require(Limit is not < 1, $"data.limit is {Limit}", "expected at least 1, or no limit at all");
        Require(MaxBadFraction is >= 0 and <= 1, $"data.max_bad_fraction is {MaxBadFraction}", "expected 0 to 1");
        if (Camera is not { } camera)
        {
            Require(CameraSpeed is null, $"data.camera_speed is {CameraSpeed}, but there is no data.camera", "set it, or remove the speed");
            return;
        }
        var name = KebabNames.Of(camera);
        Require(!Flip, $"data.flip and data.camera: {name} do not go together",
            "a mirrored movement is another one than the recipe is to learn; remove one of the two");
        Require(Conditions is null, $"data.conditions and data.camera: {name} do not go together", "the pictures to be followed would stand still; remove one of the two");
        Require(Frames >= 2, $"data.camera is {name} with data.frames {Frames}", "a movement needs at least 2 frames");
        var (least, most) = CameraMove.SpeedRange(camera);
        Require(CameraSpeed is not { } speed || (speed > least && speed <= most), $"data.camera_speed is {CameraSpeed}",
            $"expected more than {least}, at most {most} for {name}");
    }

    private static void Require(bool fine, string found, string expected)
    {
        if (!fine)
            throw new RequestException($"{found}; {expected}.");
    }
}
