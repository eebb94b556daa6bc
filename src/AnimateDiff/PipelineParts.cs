using AnimateDiff.Control;
using AnimateDiff.Denoising;
using AnimateDiff.Estimates;
using AnimateDiff.ImagePrompts;
using AnimateDiff.Layers;
using AnimateDiff.Lora;
using AnimateDiff.Noise;
using AnimateDiff.Profiling;
using AnimateDiff.Sampling;
using AnimateDiff.Text;
using AnimateDiff.Vae;
using AnimateDiff.Weights;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff;

/// <summary>The size of a request's clips, as it will be computed.</summary>
/// <param name="Clips">B, number of clips.</param>
/// <param name="Frames">F, frames of each.</param>
/// <param name="Height">Height in pixels.</param>
/// <param name="Width">Width in pixels.</param>
internal readonly record struct ClipSize(int Clips, int Frames, int Height, int Width)
{
    private const int MostInMemory = 64;

    /// <summary>Whether latents and frames go into files: in windows any number of frames can be made, and there only.</summary>
    public bool IsLong(GenerationRequest request) => request.Context is not null && (Frames > MostInMemory || request.WorkFolder is not null);
}

/// <summary>
/// The models of a pipeline and what is known of their files. Everything but <see cref="SizeOf"/> and <see cref="RecipeOfAsync"/> belongs to the
/// pipeline's thread.
/// </summary>
internal sealed class PipelineParts : IDisposable
{
    private const int DefaultFrames = 16;

    private readonly PipelineOptions _options;
    private readonly ModelKind? _motion;
    private readonly WeightsOnDemand<ClipTextModel> _textModel;
    private readonly WeightsOnDemand<UNetMotionModel> _unet;
    private readonly WeightsOnDemand<AutoencoderKL> _vae;
    private readonly IReadOnlyList<TextualInversion> _inversions;
    private readonly IReadOnlyList<IDisposable> _open;
    private readonly AdapterFiles _adapters;
    private readonly Task<RecipeFile[]> _files;

    private PipelineParts(PipelineOptions options, ModelKind baseModel, ModelKind? motion, WeightsOnDemand<UNetMotionModel> unet, WeightsOnDemand<AutoencoderKL> vae,
        WeightsOnDemand<ClipTextModel> textModel, PromptEncoder prompts, IReadOnlyList<TextualInversion> inversions, IReadOnlyList<IDisposable> open, IEnumerable<string> files)
    {
        (_options, _motion, _unet, _vae, _textModel, _inversions, _open) = (options, motion, unet, vae, textModel, inversions, open);
        Prompts = prompts;
        _adapters = new AdapterFiles(baseModel, motion, options.Force);
        Adapters = new RequestAdapters(unet.Model, textModel.Model);
        Control = new ControlModels(baseModel, options);
        ImagePrompts = new ImagePromptModels(unet.Model, baseModel, options);
        if (IsLow)
            UNet.PieceSize = options.PieceSize;
        _files = HashesOf(files);
    }

    /// <summary>The UNet, which has its weights from <see cref="Apply"/> on.</summary>
    public UNetMotionModel UNet => _unet.Model;

    /// <summary>The VAE, whose weights are read where they are not there.</summary>
    public AutoencoderKL Vae => _vae.Filled();

    /// <summary>Measures the models, whether or not their weights are there.</summary>
    public Profile Measure() => new(_unet.Model, _vae.Model);

    /// <summary>Shape of the VAE.</summary>
    public VaeConfig VaeConfig => _vae.Model.Config;

    /// <summary>What they were loaded with.</summary>
    public PipelineOptions Options => _options;

    /// <summary>Parameters of the models, whether or not they are there.</summary>
    public WeightCounts Weights { get; private init; } = null!;

    /// <summary>Whether models come and go (<see cref="MemoryUse.Low"/>).</summary>
    public bool IsLow => _options.Memory == MemoryUse.Low;

    public PromptEncoder Prompts { get; }

    /// <summary>The adapters of the request in place.</summary>
    public RequestAdapters Adapters { get; }

    /// <summary>The control networks of the request in place.</summary>
    public ControlModels Control { get; }

    /// <summary>The IP-Adapters of the request in place.</summary>
    public ImagePromptModels ImagePrompts { get; }

    public Device Device => new(_options.Device);

    /// <summary>The base model's <c>scheduler_config.json</c>, or null.</summary>
    public string? SchedulerConfig { get; private init; }

    /// <summary>Whether the base model was tuned by Tune-A-Video.</summary>
    public bool IsTuneAVideo { get; private init; }

    /// <summary>What was loaded, in sentences.</summary>
    public IReadOnlyList<string> Notes => _motion is null ? [] : [_motion.Sentence, .. _motion.Warnings];

    /// <summary>
    /// Reads everything, or with little memory what the files are and no weights yet. Models are made without weights and take over the files' tensors, one at a time.
    /// </summary>
    public static PipelineParts Load(PipelineOptions options, ITokenizer? tokenizer, IProgress<GenerationProgress>? progress, CancellationToken cancellationToken) =>
        Load(options, tokenizer, filled: options.Memory == MemoryUse.Normal, recorded: true, progress, cancellationToken);

    /// <summary>The parts without weights, to estimate from.</summary>
    public static PipelineParts Shapes(PipelineOptions options, ITokenizer? tokenizer, CancellationToken cancellationToken) => Load(options, tokenizer, filled: false, recorded: false, null, cancellationToken);

    private static PipelineParts Load(PipelineOptions options, ITokenizer? tokenizer, bool filled, bool recorded, IProgress<GenerationProgress>? progress, CancellationToken cancellationToken)
    {
        options.Validate();
        if (options.Threads is { } threads)
            set_num_threads(threads);
        var (done, total) = (0, options.Motion is null ? 4 : 5);
        var made = new Stack<IDisposable>();                                            // freed again where a later part cannot be loaded
        T Own<T>(T part) where T : IDisposable
        {
            made.Push(part);
            return part;
        }
        void Next()
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress?.Report(new(GenerationStage.Load, done++, total));
        }

        try
        {
            Next();                                                                         // 1. what the files are, and whether they go together
            var files = Own(BaseModelFiles.Open(options.Base));
            var vaeFiles = options.Vae is null ? null : Own(VaeFiles.Open(options.Vae));
            var motionFiles = options.Motion is null ? null : Own(MotionFiles.Open(options.Motion, options.MotionVersion));
            if (motionFiles is not null)
                ModelPairing.CheckMotion(motionFiles.Path, motionFiles.Kind, files.Kind);
            var device = new Device(options.Device);
            void Fill(nn.Module module, StateDict weights, string name, Func<string, bool>? part = null)
            {
                ModuleWeights.Load(module, weights, name, options.DType, device, part, options.KeepsHalves);
                module.eval();
            }
            WeightsOnDemand<T> Made<T>(T module, Action<T> fill) where T : nn.Module
            {
                var model = new WeightsOnDemand<T>(Own(module), fill);
                if (filled)
                    model.Filled();
                return model;
            }

            Next();                                                                         // 2. prompts → embeddings
            var tokenizerFolder = options.Tokenizer is { } given ? TokenizerFolder(given) : files.TokenizerFolder;
            tokenizer ??= ClipTokenizer.Load(tokenizerFolder ?? throw new RequestException(
                $"{options.Base} has no tokenizer of its own: pass --tokenizer with the folder of CLIP's vocab.json and merges.txt, such as the tokenizer/ of a Stable Diffusion 1.5 folder, or stable-diffusion-v1-5/stable-diffusion-v1-5:tokenizer on the hub."));
            var textModel = Made(new ClipTextModel(ClipTextConfig.Parse(files.TextEncoderConfig, files.Path), META), model => Fill(model, files.TextEncoder, "text encoder"));
            TextualInversion[] inversions = [.. options.Embeddings.Select(path =>
            {
                using var embedding = WeightFile.Open(path);
                return Own(TextualInversion.Read(embedding, textModel.Model.Config.HiddenSize));
            })];

            Next();                                                                         // 3. the image layers
            var unetConfig = UNetConfig.Parse(files.UNetConfig, files.Path);
            var motionConfig = motionFiles is null ? null : MotionConfig.Parse(motionFiles.Config, motionFiles.Path);
            var unet = Made(new UNetMotionModel(unetConfig, motionConfig, META), model =>
            {
                Fill(model, files.UNet, "UNet", name => !UNetMotionModel.IsMotion(name));
                if (motionFiles is null)
                    return;
                if (filled)
                    Next();                                                                 // 4. the motion module
                Fill(model, motionFiles.Weights, "motion module", UNetMotionModel.IsMotion);
                model.RoundPositions(motionFiles.Precision);                                // official files hold them exactly: so both layouts give the same
            });

            Next();                                                                         // 5. latents → frames
            var vae = Made(new AutoencoderKL(VaeConfig.Parse(vaeFiles?.Config ?? files.VaeConfig, options.Vae ?? files.Path), META), model => Fill(model, vaeFiles?.Weights ?? files.Vae, "VAE"));
            progress?.Report(new(GenerationStage.Load, total, total));

            var image = Count(unet.Model, files.UNet, options);
            var weights = new WeightCounts(
                motionFiles is null ? image : image with { Halves = image.Halves + Count(unet.Model, motionFiles.Weights, options).Halves },
                Count(vae.Model, vaeFiles?.Weights ?? files.Vae, options), Count(textModel.Model, files.TextEncoder, options), Extras: default);

            List<IDisposable> open = [files, .. vaeFiles is null ? Array.Empty<IDisposable>() : [vaeFiles], .. motionFiles is null ? Array.Empty<IDisposable>() : [motionFiles]];
            if (filled)
            {
                open.ForEach(file => file.Dispose());
                open = [];
            }
            if (options.Memory == MemoryUse.Low)
                NativeHeap.ReturnLargeBlocks();
            else if (filled)
                NativeHeap.KeepMemory();                                                    // not earlier: what loading leaves free would stay in pieces between the weights
            return new PipelineParts(options, files.Kind, motionFiles?.Kind, unet, vae, textModel, new PromptEncoder(tokenizer, textModel.Model, inversions), inversions, open,
                !recorded ? [] : [.. files.Files, .. vaeFiles?.Files ?? [], .. motionFiles?.Files ?? [], .. options.Embeddings, .. TokenizerFiles(tokenizerFolder)])
            {
                SchedulerConfig = files.SchedulerConfig,
                IsTuneAVideo = files.Kind.IsTuneAVideo,
                Weights = weights,
            };
        }
        catch
        {
            foreach (var part in made)
                part.Dispose();
            throw;
        }
    }

    /// <summary>Frames a clip can have; Tune-A-Video's attention along the frames has no positions that would end.</summary>
    public int LongestClip => UNet.Motion?.MotionMaxSeqLength ?? (IsTuneAVideo ? int.MaxValue : 1);

    /// <summary>The size of a request's clips, after checking that the models can make it.</summary>
    public ClipSize SizeOf(GenerationRequest request)
    {
        request.Validate();
        MethodRules.Check(request, UNet.Motion is not null, IsTuneAVideo);
        var longest = LongestClip;
        var frames = request.Frames ?? (request.IsZeroShot ? ZeroShot.UsualFrames : Math.Min(DefaultFrames, longest));
        if (longest == 1 ? frames != 1 && !request.IsZeroShot : frames < 1 || request.Window is null && frames > longest)
            throw new RequestException(longest == 1
                ? $"{frames} frames need a motion module: pass one, ask for one frame, or make the clip with the image model alone (--method text2video-zero)."
                : $"{frames} frames are asked for; this motion module takes 1 to {longest}, and more with context windows (--context 16:4) or FreeNoise (--free-noise 16:4).");
        if (UNet.Motion is not null && request.Window is var (window, _) && window > longest)
            throw new RequestException($"Windows of {window} frames are asked for; this motion module takes 2 to {longest}.");
        if (request.FreeNoise is not null && IsTuneAVideo)
            throw new RequestException("FreeNoise needs a motion module, and a Tune-A-Video model has none: use context windows.");
        if (request.FreeNoise is not null && UNet.Motion is { IsConvolution: true })
            throw new RequestException("FreeNoise needs a motion module that attends, and this one convolves: use context windows.");
        var pixels = VaeConfig.PixelsPerLatent;
        var (height, width) = (request.Height ?? UNet.Config.SampleSize * pixels, request.Width ?? UNet.Config.SampleSize * pixels);
        if (height < pixels || width < pixels || height % pixels != 0 || width % pixels != 0)
            throw new RequestException($"The picture size {width}×{height} is not possible: width and height must be multiples of {pixels}.");
        PromptTravel.Check(request.PromptsAt, frames);
        FrameSeed.Check(request.FrameSeeds, frames);
        var size = new ClipSize(request.Prompts.Count, frames, height, width);
        if (request.FreeInit is not null && size.IsLong(request))
            throw new RequestException($"FreeInit filters the noise of a whole clip at once, and one of {frames} frames is not held whole: leave out FreeInit, or make shorter clips.");
        if (request.Hires is not null && size.IsLong(request))
            throw new RequestException($"A second run at a larger size begins from a whole clip, and one of {frames} frames is not held whole: use --upscale, or make shorter clips.");
        request.Sparse?.FramesOf(frames);
        request.DeepCache?.CheckFor(UNet.Config);
        var made = LastSizeOf(request, size);
        Finish.After(request.Finish, (frames, made.Height, made.Width), request.IsClosed);
        return size;
    }

    /// <summary>The size of a request's clips when they are decoded: that of the second run, where there is one.</summary>
    public ClipSize LastSizeOf(GenerationRequest request, ClipSize first) => request.Hires?.SizeOf(first, VaeConfig.PixelsPerLatent) ?? first;

    /// <summary>Elements that a request's adapters take: their matrices, and the weights they change, which are kept.</summary>
    public long AdaptedElements(GenerationRequest request)
    {
        var layers = request.Adapters.SelectMany(adapter => _adapters.Open(adapter).Layers).ToList();
        return layers.Sum(layer => layer.Value.Down.ElementCount + layer.Value.Up.ElementCount)
            + layers.DistinctBy(layer => layer.Key).Sum(layer => layer.Value.Up.Shape[0] * layer.Value.Down.ElementCount / layer.Value.Down.Shape[0]);
    }

    /// <summary>Puts a request's adapters and control networks in place, and the norms of its semantics.</summary>
    /// <returns>What the user should know of it, as sentences.</returns>
    public IReadOnlyList<string> Apply(GenerationRequest request)
    {
        ClipFinisher.Check(request.Finish);
        _textModel.Filled();
        _unet.Filled();
        Adapters.Start([.. request.Adapters.Select(adapter => (_adapters.Open(adapter), adapter.Scale))], request.FreeNoise);
        Control.Set(request);
        ImagePrompts.Load(request.ImagePrompts);
        UNet.ComputesPositions = request.Semantics == Semantics.Official;
        UNet.MotionNormAcrossFrames = request.Semantics == Semantics.Diffusers;
        UNet.ResnetNormAcrossFrames = IsTuneAVideo || request.Semantics == Semantics.Official && (_options.ResnetNormAcrossFrames ?? _motion?.Motion?.ResnetNormAcrossFrames ?? false);
        UNet.FrameAttention = MethodRules.FrameAttentionOf(request, IsTuneAVideo);
        UNetChanges.Apply(UNet, request);
        return Adapters.Skipped is { Count: > 0 } skipped
            ? [$"{skipped.Count} layers of the MotionLoRAs belong to a middle block, which this motion module does not have, and were left out."]
            : [];
    }

    /// <summary>With little memory, lets go of what no one needs once a request's prompts are encoded; adapters whose strength changes over the steps need the text encoder.</summary>
    public void EndOfEncoding(GenerationRequest request)
    {
        if (!IsLow)
            return;
        ImagePrompts.Load([]);
        if (request.Adapters.All(adapter => adapter.Scale.IsConstant))
            _textModel.Release();
    }

    /// <summary>With little memory, lets go of everything but the VAE.</summary>
    public void EndOfDenoising()
    {
        if (!IsLow)
            return;
        Adapters.Dispose();
        Control.Dispose();
        _textModel.Release();
        _unet.Release();
    }

    /// <summary>With little memory, lets go of the VAE.</summary>
    public void EndOfPictures()
    {
        if (IsLow)
            _vae.Release();
    }

    /// <summary>Everything that makes a request again; waits for the hashes, which are computed in the background from the time of loading.</summary>
    public async Task<Recipe> RecipeOfAsync(GenerationRequest request, ClipSize size, Scheduler scheduler) => new()
    {
        Prompts = request.Prompts,
        NegativePrompts = request.NegativePrompts,
        Seed = request.Seed,
        Method = request.Method,
        ZeroShot = request.ZeroShot,
        Frames = size.Frames,
        Width = size.Width,
        Height = size.Height,
        Steps = request.Steps,
        GuidanceScale = request.GuidanceScale,
        Scheduler = request.Scheduler,
        SchedulerOptions = scheduler.Settings,
        ClipSkip = request.ClipSkip,
        Truncate = request.Truncate,
        Semantics = request.Semantics,
        GuidanceInterval = request.GuidanceInterval,
        DeepCache = request.DeepCache,
        GuidanceRescale = request.GuidanceRescale,
        PerturbedAttention = request.PerturbedAttention,
        FreeU = request.FreeU,
        FreeInit = request.FreeInit,
        FreeNoise = request.FreeNoise,
        Context = request.Context,
        InitialNoise = request.InitialNoise,
        FrameSeeds = request.FrameSeeds is { Count: > 0 } seeds ? seeds : null,
        Dtype = _options.DTypeName,
        Memory = IsLow ? MemoryUse.Low : null,
        Device = _options.Device,
        Base = _options.Base,
        Motion = _options.Motion,
        Tokenizer = _options.Tokenizer,
        Vae = _options.Vae,
        MotionVersion = _options.MotionVersion,
        ResnetNormAcrossFrames = _options.ResnetNormAcrossFrames,
        Embeddings = _options.Embeddings,
        Adapters = await Task.WhenAll(request.Adapters.Select(async adapter =>
            new RecipeAdapter(adapter.Role, adapter.Path, adapter.Scale, await FileFingerprints.OfAsync(adapter.Path)))),
        Source = await SourceFingerprint.RecordAsync(request.Source),
        PromptsAt = request.PromptsAt is { Count: > 0 } travel ? travel : null,
        Controls = request.Controls is { Count: > 0 } controls ? controls : null,
        Sparse = request.Sparse,
        ImagePrompts = request.ImagePrompts is { Count: > 0 } pictures ? pictures : null,
        Hires = request.Hires,
        Finish = request.Finish is { Count: > 0 } finish ? finish : null,
        Files = [.. await _files, .. await HashesOf([.. ControlModels.FilesOf(request, size.Frames), .. ImagePromptModels.FilesOf(request.ImagePrompts), .. ClipFinisher.FilesOf(request.Finish)])],
    };

    private static ModelWeights Count(nn.Module model, StateDict weights, PipelineOptions options) => new(
        model.parameters().Sum(parameter => parameter.numel()),
        options.Device != "cpu" ? 0 : model.named_modules().Where(part => part.module is WeightedLayer && weights.TryGetValue($"{part.name}.weight", out var weight) && ModuleWeights.IsHalf(weight))
            .Sum(part => weights[$"{part.name}.weight"].ElementCount));

    private static Task<RecipeFile[]> HashesOf(IEnumerable<string> files) =>
        Task.WhenAll(files.Distinct().Select(async path => new RecipeFile(path, await FileFingerprints.OfAsync(path))));

    public void Dispose()
    {
        Control.Dispose();
        Adapters.Dispose();
        _adapters.Dispose();
        ImagePrompts.Dispose();
        _unet.Dispose();
        _vae.Dispose();
        _textModel.Dispose();
        foreach (var file in _open)
            file.Dispose();
        foreach (var inversion in _inversions)
            inversion.Dispose();
        NativeHeap.Trim();
    }

    /// <summary>A tokenizer's folder, also when a whole model's folder is given.</summary>
    internal static string TokenizerFolder(string folder) => Directory.Exists(Path.Combine(folder, "tokenizer")) ? Path.Combine(folder, "tokenizer") : folder;

    private static IEnumerable<string> TokenizerFiles(string? folder) =>
        folder is null ? [] : new[] { "vocab.json", "merges.txt", "tokenizer.json" }.Select(name => Path.Combine(folder, name)).Where(File.Exists);
}
