using System.Text.Json;
using AnimateDiff.Training.Checkpoint;
using AnimateDiff.Training.Dataset;
using AnimateDiff.Training.Logging;
using AnimateDiff.Training.Optimization;
using AnimateDiff.Training.Recipes;
using AnimateDiff.Video;

namespace AnimateDiff.Training;

/// <summary>One run from its first or a later step to its last: the loop that every recipe shares. Read <see cref="Train"/> first.</summary>
internal sealed class TrainingRun : IDisposable
{
    private const double Diverged = 10;
    private const int StepsBeforeJudging = 100;
    private const int SmoothedOver = 50;

    private readonly TrainingRecipe _options;
    private readonly string _folder;
    private readonly IRecipe _recipe;
    private readonly SampleSource _samples;
    private readonly ValidationSet? _validation;
    private readonly AdamW _optimizer;
    private readonly TrainingCheckpoint _checkpoints;
    private readonly TrainingLog _log;
    private readonly IProgress<TrainingProgress>? _progress;
    private readonly MovingAverage _loss = new(SmoothedOver);
    private readonly MovingAverage _speed = new(20);
    private readonly long _begun = TimeProvider.System.GetTimestamp();
    private long _step;
    private double _lowest = double.PositiveInfinity;

    private TrainingRun(TrainingRecipe options, string folder, IRecipe recipe, SampleSource samples, ValidationSet? validation, AdamW optimizer, long step, IProgress<TrainingProgress>? progress)
    {
        (_options, _folder, _recipe, _samples, _validation, _optimizer, _step, _progress) = (options, folder, recipe, samples, validation, optimizer, step, progress);
        _checkpoints = new TrainingCheckpoint(folder, options.KeepCheckpoints);
        _log = TrainingLog.Open(folder, step);
        foreach (var line in TrainingLog.StepsOf(folder))                               // of a run that goes on: what a loss is judged by
            Judge(line.Step, _loss.Add(line.Loss));
    }

    /// <summary>Loads everything, and the state of a run that goes on.</summary>
    public static TrainingRun Open(TrainingRecipe options, RecipeText text, string folder, bool resume, IProgress<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        void Report(string message) => progress?.Report(new TrainingProgress(0, options.Steps, double.NaN, 0, 0, null, message) { Folder = folder });
        var made = new Stack<IDisposable>();
        T Own<T>(T part) where T : IDisposable
        {
            made.Push(part);
            return part;
        }
        try
        {
            var recipe = Own(Make(options));
            var samples = Own(SampleSource.Open(options, recipe, Report, cancellationToken));
            var validation = options.Validation is null ? null : ValidationSet.Open(options, cancellationToken);
            var optimizer = Own(new AdamW(recipe.Trainable, options.Optimizer));
            Directory.CreateDirectory(folder);
            var step = resume ? new TrainingCheckpoint(folder, options.KeepCheckpoints).Restore(optimizer, Report) : 0;
            OutputFile.WriteAsync(Path.Combine(folder, Trainer.RecipeName), temporary => File.WriteAllTextAsync(temporary, text.ToString())).GetAwaiter().GetResult();
            Report($"{optimizer.Count:N0} parameters are trained on {samples.Count:N0} {(options.Data.Frames == 1 ? "images" : "clips")}{(step > 0 ? $"; going on after step {step}" : "")}.");
            return new TrainingRun(options, folder, recipe, samples, validation, optimizer, step, progress);
        }
        catch
        {
            foreach (var part in made)
                part.Dispose();
            throw;
        }
    }

    private static IRecipe Make(TrainingRecipe options) => options.Stage switch
    {
        TrainingStage.Vae => new VaeRecipe(options, TrainingModels.LoadVae(options)),
        TrainingStage.ImageFinetune => new ImageFinetuneRecipe(options, TrainingModels.Load(options)),
        TrainingStage.DomainAdapter => new DomainAdapterRecipe(options, TrainingModels.Load(options)),
        TrainingStage.MotionModule => new MotionModuleRecipe(options, TrainingModels.Load(options)),
        TrainingStage.Controlnet => new ControlNetRecipe(options, TrainingModels.Load(options)),
        TrainingStage.Sparsectrl => new SparseControlRecipe(options, TrainingModels.Load(options)),
        TrainingStage.TuneAVideo => new TuneAVideoRecipe(options, TrainingModels.Load(options)),
        _ => new MotionLoraRecipe(options, TrainingModels.Load(options)),
    };

    /// <summary>Trains to the last step and writes the result.</summary>
    public TrainingResult Train(CancellationToken cancellationToken)
    {
        if (_step == 0)
            Validate();
        while (_step < _options.Steps)
        {
            try
            {
                cancellationToken.ThrowIfCancellationRequested();
                TrainStep(cancellationToken);
            }
            catch (OperationCanceledException)                                          // also in the middle of a step, which then was not taken
            {
                Save();
                throw;
            }
            if (_options.Validation is { } validation && _step % validation.Every == 0)
                Validate();
            if (_step % _options.CheckpointEvery == 0 || _step == _options.Steps)
                Save();
        }
        using var scope = NewDisposeScope();
        var averaged = _options.Optimizer.EmaDecay is not null;
        var samples = Enumerable.Range(0, int.MaxValue).Select(i => _samples.At(i, cancellationToken));
        var files = _recipe.Export(_folder, _optimizer.Weights(averaged).ToDictionary(entry => entry.Name, entry => entry.Tensor), samples);
        Summarise(files);
        return new TrainingResult(_folder, files, _step, _loss.Value);
    }

    private void TrainStep(CancellationToken cancellationToken)
    {
        var begun = TimeProvider.System.GetTimestamp();
        var step = _step + 1;
        var loss = 0.0;
        for (var part = 0; part < _options.GradientAccumulation; part++)
        {
            using var scope = NewDisposeScope();
            var first = ((step - 1) * _options.GradientAccumulation + part) * _options.BatchSize;
            var batch = Enumerable.Range(0, _options.BatchSize).Select(i => _samples.At(first + i, cancellationToken)).ToArray();
            var mean = _recipe.Loss(batch).Over(_options.GradientAccumulation);
            mean.backward();
            loss += mean.item<float>();
            _optimizer.Collect();
        }
        if (!double.IsFinite(loss))
            throw Stopped(step, "the loss is not a number");
        var smoothed = _loss.Add(loss);
        if (step > StepsBeforeJudging && smoothed > Diverged * _lowest)
            throw Stopped(step, $"the loss runs away: {smoothed:0.####} on average, {_lowest:0.####} at its best");
        var rate = _options.Rate.At(step);
        var norm = _optimizer.Step(rate);
        if (!double.IsFinite(norm))
            throw Stopped(step, "the gradient is not a number");
        _step = step;
        Judge(step, smoothed);

        var seconds = _speed.Add(TimeProvider.System.GetElapsedTime(begun).TotalSeconds);
        var speed = _options.BatchSize * _options.GradientAccumulation / seconds;
        _log.Step(step, loss, rate, norm, speed);
        Report(null, rate, speed, TimeSpan.FromSeconds(seconds * (_options.Steps - step)));
        foreach (var message in _samples.News())
            Report(message, rate, speed, null);
    }

    // What the run cost, for whoever plans the next one; a resumed run's time is that since it went on.
    private void Summarise(IReadOnlyList<string> files)
    {
        var process = System.Diagnostics.Process.GetCurrentProcess();
        var json = JsonSerializer.Serialize(new
        {
            steps = _step,
            loss = _loss.Value,
            trained_parameters = _optimizer.Count,
            seconds = Math.Round(TimeProvider.System.GetElapsedTime(_begun).TotalSeconds, 1),
            peak_memory_bytes = process.PeakWorkingSet64,
            threads = get_num_threads(),
            files = files.Select(path => Path.GetRelativePath(_folder, path)),
        }, new JsonSerializerOptions { WriteIndented = true });
        OutputFile.WriteAsync(Path.Combine(_folder, "summary.json"), temporary => File.WriteAllTextAsync(temporary, json + "\n")).GetAwaiter().GetResult();
    }

    private void Judge(long step, double smoothed)
    {
        if (step >= SmoothedOver)
            _lowest = Math.Min(_lowest, smoothed);
    }

    private AnimateDiffException Stopped(long step, string reason) => new(
        $"Step {step} was not taken: {reason}. The last good checkpoint is {_checkpoints.Latest ?? "missing, for none was due yet"}; lower learning_rate, or check the data with 'animatediff dataset check'.");

    private void Save()
    {
        var path = _checkpoints.Save(_optimizer, _step);
        _log.Plot();
        Report($"Step {_step}: checkpoint {path}", 0, 0, null);
    }

    // With the averaged weights where there are some: what will be exported is what is looked at.
    private void Validate()
    {
        if (_validation is null)
            return;
        _optimizer.Use(averaged: true);
        try
        {
            var samples = _validation.Samples;
            if (samples.Count > 0)
            {
                var losses = _recipe.Validate(samples, _options.Validation!.Buckets);
                _log.Validation(_step, losses);
                Report(FormattableString.Invariant($"Step {_step}: validation loss {losses.Average():0.#####}"), 0, 0, null);
            }
            foreach (var (name, clip) in _recipe.Show(samples))
            {
                var path = Path.Combine(_folder, "validation", FormattableString.Invariant($"step-{_step:000000}-{name}"));
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                ContactSheet.Write(path + ".png", clip, columns: 8);
                _log.Picture(_step, name, path + ".png");
                if (_recipe is DiffusionRecipe && clip.Frames > 1)
                    VideoWriter.WriteAsync(path + ".gif", clip, fps: 8, JsonSerializer.Serialize(new { step = _step, prompt = _options.Validation!.Prompts[int.Parse(name.Split('-')[0])] })).GetAwaiter().GetResult();
            }
        }
        finally
        {
            _optimizer.Use(averaged: false);
        }
    }

    private void Report(string? message, double rate, double speed, TimeSpan? left) =>
        _progress?.Report(new TrainingProgress(_step, _options.Steps, _loss.Value, rate, speed, left, message) { Folder = _folder });

    public void Dispose()
    {
        _log.Dispose();
        _optimizer.Dispose();
        _samples.Dispose();
        _recipe.Dispose();
    }
}
