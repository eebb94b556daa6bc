using System.Text.Json;
using System.Text.Json.Serialization;
using AnimateDiff.Evaluation;
using AnimateDiff.Toybox.Measure;
using AnimateDiff.Video;

namespace AnimateDiff.Toybox.Study;

/// <summary>A clip's place in the study and all that was measured of it. Lengths are in 1/64 of the picture's side.</summary>
/// <param name="System">See <see cref="StudySystem.Name"/>.</param>
/// <param name="Files">See <see cref="StudySystem.FingerprintAsync"/>.</param>
/// <param name="Settings">See <see cref="StudyOptions.Settings"/>; empty for rendered clips.</param>
/// <param name="Set">The sample set.</param>
/// <param name="Index">Number of the scene in it.</param>
/// <param name="World">Seed of the scenes.</param>
/// <param name="Seed">Seed of the request.</param>
/// <param name="Prompt">The prompt.</param>
/// <param name="Asked">The movement it asks for.</param>
/// <param name="Shown">The movement that was measured.</param>
/// <param name="X">Way of the shape to the right.</param>
/// <param name="Y">Way of the shape down.</param>
/// <param name="Seen">Share of the frames with a shape.</param>
/// <param name="Energy">Mean difference of neighbouring frames, 0…1.</param>
/// <param name="Mark">Strength of the mark.</param>
/// <param name="Neon">Score of the neon look.</param>
/// <param name="Radial">Mean flow outwards of the whole picture per frame.</param>
/// <param name="Right">Way of the whole picture to the right.</param>
/// <param name="Down">Way of the whole picture down.</param>
/// <param name="Overlap">Intersection over union of the shape and that of the scene's rendered clip, the mean over the frames.</param>
/// <param name="Ends">The same of the first and the last frame alone.</param>
/// <param name="First">Peak signal-to-noise ratio in dB of the first frame against the rendered one.</param>
/// <param name="Last">The same of the last frame.</param>
/// <param name="Colour">Share of the frames whose shape has the colour that is asked for.</param>
/// <param name="Warping">What of the change between neighbouring frames is no movement, in % of the full range.</param>
internal sealed record StudyRow(
    string System, string Files, string Settings, SampleSet Set, int Index, ulong World, ulong Seed, string Prompt, ToyMovement Asked,
    ToyMovement Shown, double X, double Y, double Seen, double Energy, double Mark, double Neon, double Radial, double Right, double Down,
    double Overlap, double Ends, double First, double Last, double Colour, double Warping)
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>Measures a clip.</summary>
    public static StudyRow Of(StudySystem system, string files, string settings, SampleSet set, int index, ulong world, ulong seed, ToyScene scene, VideoFrames clip)
    {
        var (motion, camera, guide) = (ToyMotion.Of(clip), CameraFlow.Of(clip), ToyRenderer.Clip(scene, size: clip.Width, frames: clip.Frames));
        var overlap = Follows.Overlap(clip, guide);
        return new StudyRow(system.Name, files, settings, set, index, world, seed, scene.Caption, scene.Movement,
            motion.Movement, Round(motion.X), Round(motion.Y), Round(motion.Seen), Round(MotionEnergy.Of(clip), 6), Round(WatermarkStrength.Of(clip)), Round(NeonLook.Of(clip).Score),
            Round(camera.RadialFlow(clip.Frames)), Round(camera.X), Round(camera.Y),
            Round(overlap.Average()), Round((overlap[0] + overlap[^1]) / 2), Round(Follows.Psnr(clip, guide, 0), 2), Round(Follows.Psnr(clip, guide, clip.Frames - 1), 2),
            Round(ShapeColour.Share(clip, scene.Colour)), Round(ClipMotion.Of(clip)?.WarpingError ?? 0));
    }

    /// <summary>As a line of JSON.</summary>
    public override string ToString() => JsonSerializer.Serialize(this, Json);

    /// <summary>The row of a line, or null where it is none, such as half of one.</summary>
    public static StudyRow? Parse(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<StudyRow>(line, Json);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static double Round(double value, int digits = 4) => Math.Round(value, digits);
}

/// <summary><c>measurements.jsonl</c>: every row measured, on the disk as soon as it is.</summary>
internal sealed class StudyRows
{
    private readonly string _path;
    private readonly List<StudyRow> _rows;

    /// <summary>Opens the file; half a line, where a run was killed, is dropped.</summary>
    public StudyRows(string path)
    {
        _path = path;
        _rows = File.Exists(path) ? [.. File.ReadLines(path).Select(StudyRow.Parse).OfType<StudyRow>()] : [];
    }

    /// <summary>The rows of a system's set, by their index.</summary>
    public IReadOnlyDictionary<int, StudyRow> Of(StudySystem system, SampleSet set) =>
        _rows.Where(row => row.System == system.Name && row.Set == set).GroupBy(row => row.Index).ToDictionary(group => group.Key, group => group.Last());

    /// <summary>Drops rows of other files, settings and worlds: they say nothing of this system any more.</summary>
    public void Keep(StudySystem system, SampleSet set, Func<StudyRow, bool> valid)
    {
        if (_rows.RemoveAll(row => row.System == system.Name && row.Set == set && !valid(row)) > 0)
            Write();
    }

    public void Add(IReadOnlyCollection<StudyRow> rows)
    {
        _rows.AddRange(rows);
        Write();
    }

    private void Write() => OutputFile.WriteAsync(_path, temporary => File.WriteAllTextAsync(temporary, string.Concat(_rows.Select(row => $"{row}\n")))).GetAwaiter().GetResult();
}
