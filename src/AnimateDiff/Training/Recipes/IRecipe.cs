using AnimateDiff.Training.Dataset;
using AnimateDiff.Video;
using TorchSharp.Modules;

namespace AnimateDiff.Training.Recipes;

/// <summary>One sample of a run with its random decisions.</summary>
/// <param name="Entry">Which entry of the data set.</param>
/// <param name="Caption">Its caption.</param>
/// <param name="Frames">Its frames; null where the latents are cached.</param>
/// <param name="Draw">The decisions.</param>
internal sealed record TrainingSample(int Entry, string Caption, VideoFrames? Frames, SampleDraw Draw)
{
    // Streams of decisions about a sample. 0 … 15 are the data set's.
    public const int Timestep = 16, CaptionDropout = 17, Noise = 18, Latents = 19, Offset = 20, Crop = 21, TimestepAngle = 23, ConditionCount = 24, SignalShare = 25, SignalFactor = 26;

    /// <summary>Stream of the first frame's place in the order in which frames are given to SparseCtrl; the others' follow.</summary>
    public const int ConditionOrder = 1000;

    /// <summary>What a control network follows: pictures of the data set, or the frames, of which they are then made.</summary>
    public VideoFrames? Followed { get; init; }

    /// <summary>Unit noise of a shape, drawn on the CPU.</summary>
    public Tensor Normal(int stream, params long[] shape)
    {
        using var generator = new Generator(Draw.Bits(stream), CPU);
        return randn(shape, ScalarType.Float32, CPU, generator: generator);
    }
}

/// <summary>What one stage of training does with a batch, and what it leaves behind. It reads as a script: constructor, loss, export.</summary>
internal interface IRecipe : IDisposable
{
    /// <summary>What is trained, by the name it is saved under.</summary>
    IEnumerable<(string Name, Parameter Parameter)> Trainable { get; }

    /// <summary>The mean loss of a batch, with its graph.</summary>
    Tensor Loss(IReadOnlyList<TrainingSample> batch);

    /// <summary>The loss of a held-out sample at given noise in each of equal parts of the timesteps, without gradients; empty where there are no timesteps.</summary>
    IReadOnlyList<double> Validate(IReadOnlyList<TrainingSample> samples, int buckets);

    /// <summary>Pictures of what has been learned.</summary>
    /// <param name="samples">Held-out samples.</param>
    /// <returns>Names and clips.</returns>
    IReadOnlyList<(string Name, VideoFrames Clip)> Show(IReadOnlyList<TrainingSample> samples);

    /// <summary>Writes what was trained.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="weights">The trained weights in fp32 by the names of <see cref="Trainable"/>.</param>
    /// <param name="samples">The samples of the run from its first on, without end, read as they are asked for.</param>
    /// <returns>Files and folders written.</returns>
    IReadOnlyList<string> Export(string folder, IReadOnlyDictionary<string, Tensor> weights, IEnumerable<TrainingSample> samples);
}
