using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Weights;

/// <summary>A motion module from any layout: weights under diffusers' names, configuration as diffusers writes it, and what its version needs. Nothing is read yet.</summary>
public sealed class MotionFiles : IDisposable
{
    private readonly StateDict _file;

    /// <summary>File or folder it was opened from.</summary>
    public string Path { get; }

    /// <summary>What was detected.</summary>
    public ModelKind Kind { get; }

    /// <summary>Version and what it needs.</summary>
    public MotionTraits Traits => Kind.Motion!;

    /// <summary>The tensors; <c>pos_embed.pe</c> is among them where the file has it.</summary>
    public StateDict Weights { get; }

    /// <summary>Type of its weights; the position encoding may be in another.</summary>
    public ScalarType Precision => Weights.First(entry => entry.Key.EndsWith("proj_in.weight", StringComparison.Ordinal)).Value.DType;

    /// <summary>The motion adapter's <c>config.json</c>, which files written here keep in their metadata too, or the same derived from the shapes.</summary>
    public string Config { get; }

    /// <summary>Every file that was opened, for recording what a result was made with.</summary>
    public IReadOnlyList<string> Files { get; }

    private MotionFiles(string path, StateDict file, ModelKind kind, StateDict weights, string config)
        => (Path, _file, Kind, Weights, Config, Files) = (path, file, kind, weights, config, [.. ModelFolder.FilesOf(file)]);

    /// <summary>Opens a motion module.</summary>
    /// <param name="path">An official file (.ckpt, .safetensors, with or without wrappers), a diffusers motion adapter folder or its weight file, or a whole UNet as the official
    /// training saves it, of which only the motion modules are taken.</param>
    /// <param name="version">Version to take it for where the file does not say, or null to detect it.</param>
    /// <exception cref="FileException">It is missing or is something else; the message says what, and which option takes it.</exception>
    public static MotionFiles Open(string path, MotionVersion? version = null)
    {
        var file = ModelFolder.Open(path);
        try
        {
            var stored = ModelFolder.MotionConfig(path, file);
            var rows = ModelFolder.MotionRows(stored);
            var kind = ModelDetection.Detect(file, rows);
            ModelPairing.RequireMotion(path, kind);
            if (kind.Motion!.Version == MotionVersion.HotShotXL)
                throw new FileException(path, $"{path} is {KindSentences.Short(kind)}, whose UNet is built differently and is not supported; use a motion module of AnimateDiff.");
            var weights = Wrappers.Strip(file).Select(OfficialMotionLayout.ToDiffusers);
            if (kind.Kind == CheckpointKind.MotionUNet)
                weights = weights.Select(name => name.Contains(".motion_modules.", StringComparison.Ordinal) ? name : null);
            var shape = MotionShape.Of(weights, rows);
            if (version is { } given && given != shape.Version)
            {
                shape = shape with { Version = given };
                kind = kind with { Motion = shape.Traits, Family = shape.Family, Warnings = [] };
                kind = kind with { Sentence = KindSentences.Describe(kind) };
            }
            return new MotionFiles(path, file, kind, weights, stored ?? ModelConfigs.Text(ModelConfigs.Motion(shape)));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Closes the file. Tensors already read stay.</summary>
    public void Dispose() => _file.Dispose();
}
