using AnimateDiff.Configs;
using AnimateDiff.Training.Dataset;

namespace AnimateDiff.Tests.Training.Dataset;

public sealed class DatasetOptionsTests
{
    [Fact]
    public void Every_key_is_read()
    {
        var options = Read("{path: [a.csv, b], video_folder: v, frames: 8, stride: 2, width: 384, height: 256, limit: 7, max_bad_fraction: 0.5, "
            + "camera: roll-ccw, camera_speed: 30, camera_easing: ease-in-out}");
        Assert.Equal(["a.csv", "b"], options.Paths);
        Assert.Equal(
            new DatasetOptions
            {
                Paths = options.Paths,
                VideoFolder = "v",
                Frames = 8,
                Stride = 2,
                Width = 384,
                Height = 256,
                Limit = 7,
                MaxBadFraction = 0.5,
                Camera = CameraMovement.RollCcw,
                CameraSpeed = 30,
                CameraEasing = Easing.EaseInOut,
            },
            options);
        var plain = Read("{path: clips, flip: true}");
        Assert.Equal(new DatasetOptions { Paths = plain.Paths, Flip = true }, plain);
        Assert.Equal(["zoom-in", "zoom-out", "pan-left", "pan-right", "tilt-up", "tilt-down", "roll-cw", "roll-ccw"], KebabNames.Of<CameraMovement>());
    }

    [Theory]
    [InlineData("{frames: 8}", "path: a CSV")]
    [InlineData("{path: a, pathes: b}", "unknown key pathes")]
    [InlineData("{path: a, frames: 2000}", "data.frames is 2000; expected 1 to 1000")]
    [InlineData("{path: a, stride: 0}", "stride is “0”")]
    [InlineData("{path: a, width: 250}", "data.width is 250; expected a multiple of 8")]
    [InlineData("{path: a, max_bad_fraction: 1.5}", "data.max_bad_fraction is 1.5")]
    [InlineData("{path: a, camera: dolly}", "camera is “dolly”, expected one of zoom-in, zoom-out")]
    [InlineData("{path: a, camera: pan-left, flip: true}", "data.flip and data.camera: pan-left do not go together")]
    [InlineData("{path: a, camera: pan-left, frames: 1}", "needs at least 2 frames")]
    [InlineData("{path: a, camera: zoom-in, camera_speed: 1}", "data.camera_speed is 1; expected more than 1, at most 4 for zoom-in")]
    [InlineData("{path: a, camera_speed: 2}", "there is no data.camera")]
    public void Wrong_values_are_refused(string yaml, string expected) =>
        Assert.Contains(expected, Assert.Throws<RequestException>(() => Read(yaml)).Message);

    private static DatasetOptions Read(string yaml)
    {
        using var folder = new TempFolder();
        return DatasetOptions.Read(new YamlSection("recipe.yaml", YamlSection.LoadRoot(folder.Write("recipe.yaml", yaml)), "data"));
    }
}
