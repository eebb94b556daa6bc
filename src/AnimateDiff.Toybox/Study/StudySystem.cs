using System.Security.Cryptography;
using System.Text;

namespace AnimateDiff.Toybox.Study;

/// <summary>A file or folder of a model.</summary>
/// <param name="Root">The folder it is looked for in, different on every machine.</param>
/// <param name="Name">Its name there.</param>
internal sealed record StudyFile(string Root, string Name)
{
    public string Path => System.IO.Path.Combine(Root, Name);
}

/// <summary>Something that turns captions into clips: the renderer, an image model, or one with a motion module and adapters.</summary>
/// <param name="Name">Its name in measurements and pictures.</param>
/// <param name="Title">Its name on the page.</param>
internal sealed record StudySystem(string Name, string Title)
{
    /// <summary>The renderer itself, for what is real; null for models.</summary>
    public (ToyLook Look, bool Marked)? Rendered { get; init; }

    public StudyFile? Base { get; init; }

    /// <summary>Null: the image model alone, whose clips are 16 pictures of one prompt.</summary>
    public StudyFile? Motion { get; init; }

    public IReadOnlyList<(AdapterRole Role, StudyFile File, double Scale)> Adapters { get; init; } = [];

    /// <summary>A control network, and which frames of the rendered clip of the scene it is shown: a ControlNet the edges of all, SparseCtrl the first and the last as they are.</summary>
    public (StudyFile File, bool Sparse)? Control { get; init; }

    /// <summary>What makes the clips; null for AnimateDiff, and for the image model alone.</summary>
    public GenerationMethod? Method { get; init; }

    /// <summary>The files that are not there.</summary>
    public StudyFile[] Missing => [.. Files.Where(file => !Path.Exists(file.Path))];

    private IEnumerable<StudyFile> Files => new[] { Base, Motion, Control?.File }.OfType<StudyFile>().Concat(Adapters.Select(adapter => adapter.File));

    /// <summary>16 hexadecimal digits of a SHA-256 over the contents of all files and the adapters' strengths; empty for the renderer.</summary>
    public async Task<string> FingerprintAsync()
    {
        if (Rendered is not null)
            return "";
        var text = new StringBuilder();
        foreach (var file in Files)
            foreach (var path in Directory.Exists(file.Path) ? Directory.GetFiles(file.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToArray() : [file.Path])
                text.Append(await FileFingerprints.OfAsync(path)).Append('\n');
        foreach (var (_, _, scale) in Adapters)
            text.Append(FormattableString.Invariant($"{scale}\n"));
        if (Method == GenerationMethod.TuneAVideo)
            text.Append(TunedModels.Recipe);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(text.ToString())))[..16];
    }
}

/// <summary>The systems that are compared.</summary>
/// <param name="models">Folder of the trained models.</param>
/// <param name="runs">Folder of further runs.</param>
internal sealed class StudySystems(string models, string? runs)
{
    public static readonly StudySystem Real = new("rendered", "rendered clips") { Rendered = (ToyLook.Normal, false) };
    public static readonly StudySystem RealMarked = new("rendered-marked", "rendered clips with the mark") { Rendered = (ToyLook.Normal, true) };
    public static readonly StudySystem RealNeon = new("rendered-neon", "rendered clips in the neon look") { Rendered = (ToyLook.Neon, false) };

    /// <summary>The image model alone.</summary>
    public StudySystem Image => new("image", "image model, no motion module") { Base = Model("base") };

    /// <summary>The motion module with attention over time, as it is shipped.</summary>
    public StudySystem Motion => Image with { Name = "motion", Title = "transformer (attention over time)", Motion = Model("motion") };

    /// <summary>The ablation: convolution over time.</summary>
    public StudySystem Convolution => Motion with { Name = "conv1d", Title = "conv1d (convolution over time)", Motion = Run("conv1d-finish/motion-module-diffusers") };

    /// <summary>A motion module trained on the same clips without the domain adapter.</summary>
    public StudySystem Plain => Motion with { Name = "motion-plain", Title = "trained without the adapter", Motion = Run("motion-plain/motion-module-diffusers") };

    /// <summary>The shipped motion module at an earlier time of its training, for comparison with one that was trained as long.</summary>
    public StudySystem Earlier(string run, string title) => Motion with { Name = run, Title = title, Motion = Run($"{run}/motion-module-diffusers") };

    /// <summary>The same motion module in the personalised image model.</summary>
    public StudySystem Neon => Motion with { Name = "neon", Title = "neon model, same motion module", Base = Model("neon") };

    /// <summary>An image model alone, by Text2Video-Zero.</summary>
    public StudySystem ZeroShot(StudySystem of) => of with { Name = $"{of.Name}-text2video-zero", Title = "Text2Video-Zero", Motion = null, Method = GenerationMethod.Text2VideoZero };

    /// <summary>An image model tuned by Tune-A-Video on one rendered clip of each direction.</summary>
    public StudySystem Tuned(StudySystem of) => of with { Name = $"{of.Name}-tune-a-video", Title = "Tune-A-Video", Motion = null, Method = GenerationMethod.TuneAVideo };

    /// <summary>With a ControlNet that follows the edges of every frame.</summary>
    public StudySystem ControlNet => Motion with { Name = "controlnet", Title = "ControlNet, edges of every frame", Control = (Run("controlnet/controlnet"), false) };

    /// <summary>With SparseCtrl that is given the first and the last frame.</summary>
    public StudySystem SparseControl => Motion with { Name = "sparsectrl", Title = "SparseCtrl, first and last frame", Control = (Run("sparsectrl/sparsectrl"), true) };

    /// <summary>With the domain adapter.</summary>
    public StudySystem Adapter(double scale) => scale == 0 ? Motion with { Title = "α = 0" } : Motion with
    {
        Name = FormattableString.Invariant($"adapter-{scale}"),
        Title = FormattableString.Invariant($"α = {scale}"),
        Adapters = [(AdapterRole.DomainAdapter, Model("domain-adapter.safetensors"), scale)],
    };

    /// <summary>With a shipped MotionLoRA, or several at once.</summary>
    public StudySystem Camera(string title, params string[] names) => Motion with
    {
        Name = string.Join("+", names),
        Title = title,
        Adapters = [.. names.Select(name => (AdapterRole.MotionLora, Model($"motion-lora/{name}.safetensors"), 1.0))],
    };

    /// <summary>With a MotionLoRA of a run.</summary>
    public StudySystem CameraOfRun(string title, string run) => Motion with
    {
        Name = run,
        Title = title,
        Adapters = [(AdapterRole.MotionLora, Run($"{run}/motion-lora.safetensors"), 1.0)],
    };

    private StudyFile Model(string name) => new(models, name);

    private StudyFile Run(string name) => new(runs ?? "", name);
}
