using AnimateDiff.Weights;

namespace AnimateDiff;

/// <summary>Which files a pipeline is made of, and on what it computes.</summary>
public sealed record PipelineOptions
{
    /// <summary>Stable Diffusion 1.5 or a model derived from it: a diffusers folder or a single file.</summary>
    public required string Base { get; init; }

    /// <summary>Motion module: an official file or a diffusers folder. Null: the image model alone, one frame a clip.</summary>
    public string? Motion { get; init; }

    /// <summary>Folder with CLIP's <c>vocab.json</c> and <c>merges.txt</c>. Null: the base model's own.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>Another VAE, a diffusers folder or a file. Null: the base model's own.</summary>
    public string? Vae { get; init; }

    /// <summary>Textual-inversion embeddings; each is called in a prompt by the name in the file, or the file's own name.</summary>
    public IReadOnlyList<string> Embeddings { get; init; } = [];

    /// <summary>Type of weights and activations: <see cref="torch.ScalarType.Float32"/> or <see cref="torch.ScalarType.BFloat16"/>.</summary>
    public ScalarType DType { get; init; } = ScalarType.Float32;

    /// <summary>What is done about memory; normal by default.</summary>
    public MemoryUse Memory { get; init; }

    /// <summary>Elements of what a layer sees at a time with little memory: three frames of 512×512 in Stable Diffusion's widest level.</summary>
    internal long PieceSize { get; init; } = 4 << 20;

    /// <summary><c>cpu</c>, or <c>cuda</c> with the CUDA build of libtorch.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>CPU threads of one tensor operation. Null: as many as cores.</summary>
    public int? Threads { get; init; }

    /// <summary>Version to take the motion module for, where the file does not show it. Null: as detected.</summary>
    public MotionVersion? MotionVersion { get; init; }

    /// <summary>Whether the resnets' norms look across frames, as an official inference configuration may say. Null: as the module's version has it.</summary>
    public bool? ResnetNormAcrossFrames { get; init; }

    /// <summary>Accept pairs that were not made for each other, such as a v2 MotionLoRA on a v3 module, and requests that are not expected to fit into memory.</summary>
    public bool Force { get; init; }

    /// <summary>Whether weights that files have in fp16 stay so in a model that computes in fp32. Only on the CPU, where nothing computes in fp16.</summary>
    internal bool KeepsHalves => DType == ScalarType.Float32 && Device == "cpu";

    /// <summary>Name of <see cref="DType"/>: <c>fp32</c> or <c>bf16</c>.</summary>
    public string DTypeName => DType == ScalarType.BFloat16 ? "bf16" : "fp32";

    /// <summary>Reads a name of a type.</summary>
    /// <exception cref="RequestException">It is neither <c>fp32</c> nor <c>bf16</c>.</exception>
    public static ScalarType ParseDType(string name) => name switch
    {
        "fp32" => ScalarType.Float32,
        "bf16" => ScalarType.BFloat16,
        "fp16" => throw new RequestException("fp16 is refused: its matrix products are about a hundred times slower on a CPU; use bf16, which takes as little memory."),
        _ => throw new RequestException($"'{name}' is no type to compute in: expected fp32 or bf16."),
    };

    internal void Validate()
    {
        if (DType != ScalarType.Float32 && DType != ScalarType.BFloat16)
            throw new RequestException($"The pipeline computes in Float32 or BFloat16, not in {DType}.");
        RequireDevice(Device);
        if (Threads is < 1 or > 1024)
            throw new RequestException($"{Threads} threads: expected 1 to 1024.");
    }

    /// <summary>Refuses a device that is none or is not there.</summary>
    internal static void RequireDevice(string device)
    {
        if (device is not ("cpu" or "cuda") && !device.StartsWith("cuda:"))
            throw new RequestException($"'{device}' is no device: expected cpu, cuda or cuda:N.");
        if (device != "cpu" && !cuda.is_available())
            throw new RequestException($"The device '{device}' is not there: build with CUDA (ANIMATEDIFF_TORCH=cuda ./animatediff …) on a machine with an NVIDIA GPU, or use --device cpu.");
    }
}
