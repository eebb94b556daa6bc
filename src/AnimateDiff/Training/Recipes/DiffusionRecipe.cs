using AnimateDiff.Noise;
using AnimateDiff.Training.Dataset;
using AnimateDiff.Training.Loss;
using AnimateDiff.Video;
using AnimateDiff.Weights;
using TorchSharp.Modules;

namespace AnimateDiff.Training.Recipes;

/// <summary>What the stages that train the denoiser share: a batch of clips → latents, noise, timesteps, captions → the loss.</summary>
internal abstract class DiffusionRecipe : IRecipe
{
    private const int FramesEncodedAtOnce = 8;

    private readonly DiffusionLoss _loss;
    private readonly CaptionEncoder _captions;
    private LatentCache? _cache;

    protected DiffusionRecipe(TrainingRecipe options, TrainingModels models)
    {
        (Options, Models) = (options, models);
        _loss = new DiffusionLoss(new BetaSchedule(options.BetaShape, 0.00085, 0.012), options.Prediction, options.MinSnrGamma);
        _captions = new CaptionEncoder(models.Text, models.Tokenizer, options.TrainTextEncoder);
        models.UNet.Recomputes = options.Recompute;
    }

    protected TrainingRecipe Options { get; }

    protected TrainingModels Models { get; }

    public abstract IEnumerable<(string Name, Parameter Parameter)> Trainable { get; }

    public abstract IReadOnlyList<string> Export(string folder, IReadOnlyDictionary<string, Tensor> weights, IEnumerable<TrainingSample> samples);

    /// <summary>Encodes the data set's entries that are not in the cache yet; samples without frames are then read from it, and captions too.</summary>
    /// <returns>The entries that could be read.</returns>
    public IReadOnlyList<int> FillCache(string folder, TrainingSet set, Action<string> report, CancellationToken cancellationToken)
    {
        _cache = new LatentCache(folder, set, Models.VaeFingerprint);
        _captions.Disk = (folder, Models.TextFingerprint);
        return _cache.Fill(frames => Encode(Models.Vae, frames), report, cancellationToken);
    }

    public Tensor Loss(IReadOnlyList<TrainingSample> batch)
    {
        using var scope = NewDisposeScope();
        var latents = stack([.. batch.Select(LatentsOf)]);                                                   // [B, 4, F, h, w]
        var noise = stack([.. batch.Select(sample => NoiseOf(sample, latents))]);
        var timesteps = tensor(batch.Select(sample => (long)(PlaceOf(sample.Draw, Options.LogitMean, Options.LogitStd) * _loss.Schedule.Count)).ToArray(), device: latents.device);
        if (Options.WeakSignal != 0)
            noise = WithWeakSignal(latents, noise, timesteps, batch);
        var text = _captions.Encode([.. batch.Select(sample => sample.Draw.Uniform(TrainingSample.CaptionDropout) < Options.CaptionDropout ? "" : sample.Caption)]);
        return LossAt(latents, text, noise, timesteps, Condition(batch, latents)).mean().MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Where in the schedule a sample is trained, in [0, 1): anywhere, or logit-normal (Esser et al. 2024, arXiv 2403.03206, §3.1), which puts the work on one part of it:
    /// what moves where is decided at high noise.
    /// </summary>
    internal static double PlaceOf(SampleDraw draw, double logitMean, double? logitStd)
    {
        var place = draw.Uniform(TrainingSample.Timestep);
        return logitStd is not { } deviation ? place
            : Math.Min(1 / (1 + Math.Exp(-(logitMean + deviation * SampleDraw.Normal(place, draw.Uniform(TrainingSample.TimestepAngle))))), Math.BitDecrement(1.0));
    }

    // Noise that hides all but a share u of the clip: √ᾱ·x₀ + √(1−ᾱ)·ε' = u·√ᾱ·x₀ + √(1−u²ᾱ)·ε, so the clip that ε' leads to is the whole one. It closes the gap between
    // the pure noise that sampling begins with and the noisiest timestep, through which a clip shows well enough to be continued without the prompt (Lin et al. 2023, §3.1).
    private Tensor WithWeakSignal(Tensor latents, Tensor noise, Tensor timesteps, IReadOnlyList<TrainingSample> batch)
    {
        var shares = batch.Select(sample => sample.Draw.Uniform(TrainingSample.SignalShare) < Options.WeakSignal ? (float)sample.Draw.Uniform(TrainingSample.SignalFactor) : 1f);
        return _loss.Schedule.NoiseOver(latents, noise, timesteps, tensor(shares.ToArray(), device: latents.device));
    }

    /// <summary>The loss of each clip at given noise.</summary>
    /// <param name="latents">Clean latents, [B, 4, F, h, w].</param>
    /// <param name="text">Embeddings, [B, L, D].</param>
    /// <param name="noise">Unit noise, [B, 4, F, h, w].</param>
    /// <param name="timesteps">[B], int64.</param>
    /// <param name="condition">What a control network follows; null in stages without one.</param>
    internal Tensor LossAt(Tensor latents, Tensor text, Tensor noise, Tensor timesteps, ClipCondition? condition = null) =>
        _loss.PerSample((noisy, at) => Predict(noisy, at, text, condition), latents, noise, timesteps);

    /// <summary>What a control network follows in a batch, in the caller's dispose scope; null in stages without one.</summary>
    /// <param name="batch">B samples.</param>
    /// <param name="latents">Their clean latents, [B, 4, F, h, w].</param>
    protected virtual ClipCondition? Condition(IReadOnlyList<TrainingSample> batch, Tensor latents) => null;

    /// <summary>The prediction for noisy latents [B, 4, F, h, w] at timesteps [B].</summary>
    protected virtual Tensor Predict(Tensor noisy, Tensor timesteps, Tensor text, ClipCondition? condition) => Models.UNet.Predict(noisy, timesteps, text);

    public IReadOnlyList<double> Validate(IReadOnlyList<TrainingSample> samples, int buckets)
    {
        using var _ = no_grad();
        var sums = new double[buckets];
        foreach (var sample in samples)
            for (var bucket = 0; bucket < buckets; bucket++)
            {
                using var scope = NewDisposeScope();
                var latents = LatentsOf(sample).unsqueeze(0);
                var timestep = (long)((bucket + sample.Draw.Uniform(TrainingSample.Timestep)) / buckets * _loss.Schedule.Count);
                var loss = LossAt(latents, _captions.Encode([sample.Caption]), NoiseOf(sample, latents).unsqueeze(0), tensor([timestep], device: latents.device), Condition([sample], latents));
                sums[bucket] += loss.item<float>() / samples.Count;
            }
        return sums;
    }

    public IReadOnlyList<(string Name, VideoFrames Clip)> Show(IReadOnlyList<TrainingSample> samples)
    {
        if (Options.Validation is not { Prompts: { Count: > 0 } prompts } validation)
            return [];
        var pixels = Models.Vae.Config.PixelsPerLatent;
        var frames = Models.UNet.Motion is null && !Models.UNet.Config.TemporalAttention ? 1 : Options.Data.Frames;
        var size = (frames, Options.Data.Height / pixels, Options.Data.Width / pixels);
        var sampler = new ValidationSampler(Models.UNet, Models.Vae, Options, validation);
        return [.. prompts.SelectMany((prompt, i) =>
        {
            using var text = _captions.Encode(["", prompt]);
            return Show($"{i:00}", sampler, text, size, samples.Count == 0 ? null : samples[i % samples.Count]);
        })];
    }

    /// <summary>The pictures of one prompt.</summary>
    /// <param name="name">The prompt's number, which their names begin with.</param>
    /// <param name="sampler">Generates.</param>
    /// <param name="text">Embeddings of the empty prompt and of the prompt, [2, L, D].</param>
    /// <param name="size">Frames, and height and width of the latents.</param>
    /// <param name="sample">A held-out sample for it, or null.</param>
    protected virtual IReadOnlyList<(string Name, VideoFrames Clip)> Show(string name, ValidationSampler sampler, Tensor text, (int Frames, int Height, int Width) size, TrainingSample? sample) =>
        [(name, sampler.Generate(text, size))];

    /// <summary>One sample's latents at unit scale, [4, F, h, w].</summary>
    protected Tensor LatentsOf(TrainingSample sample)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var moments = sample.Frames is { } frames ? Encode(Models.Vae, frames) : _cache!.Read(sample.Entry, sample.Draw, new Device(Options.Device));
        var noise = sample.Normal(TrainingSample.Latents, moments.Mean.shape).to(moments.Mean.device);
        var latents = moments.At(noise);                                                                      // [F, 4, h, w]
        return latents.Times(Models.Vae.Config.ScalingFactor).transpose(0, 1).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>The distribution of a clip's latents, a few frames at a time: [F, 4, h, w] each.</summary>
    public static Vae.LatentDistribution Encode(Vae.AutoencoderKL vae, VideoFrames frames)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var images = frames.ToTensor();
        Vae.LatentDistribution[] parts = [.. Enumerable.Range(0, (frames.Frames + FramesEncodedAtOnce - 1) / FramesEncodedAtOnce)
            .Select(i => vae.Encode(images.narrow(0, i * FramesEncodedAtOnce, Math.Min(FramesEncodedAtOnce, frames.Frames - i * FramesEncodedAtOnce))))];
        return new(cat([.. parts.Select(part => part.Mean)]).MoveToOuterDisposeScope(), cat([.. parts.Select(part => part.LogVar)]).MoveToOuterDisposeScope());
    }

    // Offset noise (Guttenberg 2023): one more draw for each channel of the clip, so that its brightness is learned too
    private Tensor NoiseOf(TrainingSample sample, Tensor like)
    {
        using var scope = NewDisposeScope();
        var noise = sample.Normal(TrainingSample.Noise, like.shape[^4..]);
        if (Options.OffsetNoise != 0)
            noise = noise.Add(sample.Normal(TrainingSample.Offset, like.shape[^4], 1, 1, 1).Times(Options.OffsetNoise));
        return noise.to(like.device).MoveToOuterDisposeScope();
    }

    public virtual void Dispose()
    {
        _captions.Dispose();
        Models.Dispose();
    }

    /// <summary>Trained tensors and the rest of a module as one state dict; trained ones in fp32.</summary>
    protected static StateDict StateOf(nn.Module module, string prefix, IReadOnlyDictionary<string, Tensor> trained, Func<string, bool>? part = null)
    {
        var tensors = new Dictionary<string, WeightTensor>();
        foreach (var (name, own) in module.state_dict())
            if (part?.Invoke(name) ?? true)
                tensors.Add(name, WeightTensor.Of(trained.GetValueOrDefault(prefix + name) ?? own));
        return new StateDict("the training run", tensors);
    }
}
