using AnimateDiff.Noise;

namespace AnimateDiff.Sampling.Long;

/// <summary>
/// The denoising of a clip of any length in the memory of a few windows: latents, and what a sampler remembers, are in files, of which each step reads one set
/// and writes the other. What is in the files after a step is also where an interrupted run goes on. The same numbers as in memory, but that a stochastic
/// sampler draws its noise in the order in which frames are finished.
/// </summary>
internal sealed class LongRun : IDisposable
{
    /// <summary>Frames that are written, drawn and decoded together.</summary>
    public const int Block = 16;

    private const string Extension = ".frames";

    private readonly string _folder;
    private readonly bool _isTemporary;
    private readonly string _recipe;
    private readonly ClipSize _size;
    private readonly long[] _frame;
    private readonly Device _device;
    private readonly Dictionary<string, FrameFile> _files = [];
    private LongRunState? _state;

    private LongRun(string folder, bool isTemporary, string recipe, ClipSize size, long[] frame, Device device) =>
        (_folder, _isTemporary, _recipe, _size, _frame, _device) = (folder, isTemporary, recipe, size, frame, device);

    /// <summary>The last evaluation that is done, plus one; null where none is.</summary>
    public int? Next => _state?.Next;

    /// <summary>Opens the folder of a run, and in it the run that was interrupted if there is one.</summary>
    /// <param name="folder">Where it is kept after an interruption; null for a temporary place, deleted at the end.</param>
    /// <param name="recipe">What is being made.</param>
    /// <param name="size">Of the clips.</param>
    /// <param name="height">h, in latent pixels.</param>
    /// <param name="width">w, in latent pixels.</param>
    /// <param name="device">Where latents are computed with.</param>
    /// <exception cref="RequestException">The folder has another request's run.</exception>
    /// <exception cref="FileException">What is in the folder is damaged.</exception>
    public static LongRun Open(string? folder, string recipe, ClipSize size, int height, int width, Device device)
    {
        var place = folder ?? Directory.CreateTempSubdirectory("animatediff-").FullName;
        Directory.CreateDirectory(place);
        var run = new LongRun(place, folder is null, recipe, size, [size.Clips, InitialLatents.Channels, height, width], device) { _state = LongRunState.Read(place) };
        return run._state is null || run._state.Recipe == recipe ? run
            : throw new RequestException($"{place} holds an interrupted run of another request: give that request again to go on with it, or another folder, or delete it.");
    }

    /// <summary>Writes the latents that a new run begins with.</summary>
    /// <param name="first">Its first evaluation.</param>
    /// <param name="blocks">Latents of consecutive frames, [B, 4, n, h, w], disposed here.</param>
    /// <param name="generator">After drawing them.</param>
    public void Begin(int first, IEnumerable<Tensor> blocks, Generator generator)
    {
        var frame = 0L;
        foreach (var block in blocks)
            using (block)
            {
                File("latents", first).Write([.. Enumerable.Range(0, (int)block.shape[2]).Select(place => frame + place)], block);
                frame += block.shape[2];
            }
        Save(first, [], generator);
    }

    /// <summary>Does an evaluation of the model and the sampler's step for all frames.</summary>
    /// <param name="index">The evaluation, <see cref="Next"/>.</param>
    /// <param name="scheduler">The sampler.</param>
    /// <param name="prediction">What the model says.</param>
    /// <param name="start">What a mask keeps, or null.</param>
    /// <param name="generator">A stochastic sampler's.</param>
    /// <param name="windowDone">Called after each window.</param>
    public void Step(int index, Scheduler scheduler, NoisePrediction prediction, SourceStart? start, Generator generator, Action windowDone)
    {
        int[] remembered = [];
        foreach (var (frames, noise) in prediction.Of(_size.Frames, chosen => Read(chosen.data<long>().ToArray(), index), index))
        {
            using var scope = NewDisposeScope();
            using var _ = noise;
            using var sampler = scheduler.Start();
            if (_state!.Remembered.Length > 0)
                sampler.Continue(index, [.. _state.Remembered.Select((count, history) => Enumerable.Range(0, count).Select(age => Memory(history, age, index).Read(frames).to(_device)).ToArray())]);
            var stepped = sampler.Step(noise, index, Read(frames, index), generator);
            File("latents", index + 1).Write(frames, start?.Keep(stepped, index + 1, frames) ?? stepped);
            foreach (var (history, tensors) in sampler.Memory.Index())
                for (var age = 0; age < tensors.Count; age++)
                    Memory(history, age, index + 1).Write(frames, tensors[age]);
            remembered = [.. sampler.Memory.Select(history => history.Count)];
            windowDone();
        }
        Save(index + 1, remembered, generator);
    }

    /// <summary>Puts a generator where it was when the run was interrupted.</summary>
    public void Restore(Generator generator)
    {
        using var state = tensor(_state!.Generator);
        generator.set_state(state);
    }

    /// <summary>Latents of some frames before an evaluation, [B, 4, n, h, w].</summary>
    public Tensor Read(IReadOnlyList<long> frames, int index)
    {
        using var scope = NewDisposeScope();
        return File("latents", index).Read(frames).to(_device).MoveToOuterDisposeScope();
    }

    /// <summary>Frames by <see cref="Block"/>s.</summary>
    public static IEnumerable<long[]> Blocks(int frames) => Enumerable.Range(0, frames).Select(frame => (long)frame).Chunk(Block);

    /// <summary>Deletes a run that is over, and its folder where nothing else is in it.</summary>
    public static void Delete(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder).Where(file => Path.GetExtension(file) == Extension || Path.GetFileName(file) == LongRunState.FileName))
            System.IO.File.Delete(file);
        if (!Directory.EnumerateFileSystemEntries(folder).Any())
            Directory.Delete(folder);
    }

    public void Dispose()
    {
        foreach (var file in _files.Values)
            file.Dispose();
        _files.Clear();
        if (_isTemporary && Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
    }

    private FrameFile Memory(int history, int age, int index) => File($"memory-{history}-{age}", index);

    // Two sets, so that the one a step reads stays whole until the other is.
    private FrameFile File(string name, int index)
    {
        var path = Path.Combine(_folder, $"{name}-{index % 2}{Extension}");
        if (!_files.TryGetValue(path, out var file))
            _files.Add(path, file = FrameFile.Open(path, _frame));
        return file;
    }

    private void Save(int next, int[] remembered, Generator generator)
    {
        foreach (var file in _files.Values)
            file.Flush();
        using var state = generator.get_state();
        _state = new LongRunState(_recipe, next, remembered, state.data<byte>().ToArray());
        _state.Write(_folder);
    }
}
