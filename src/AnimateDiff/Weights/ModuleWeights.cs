using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Weights;

/// <summary>Puts the tensors of a state dict into a module, strictly: every name and shape must be the module's. Or draws the values training starts from.</summary>
public static class ModuleWeights
{
    private const double EmbeddingDeviation = 0.02;

    /// <summary>
    /// Fills <paramref name="module"/>, which may have been built on the meta device: its parameters become the file's tensors in <paramref name="dtype"/>
    /// on <paramref name="device"/>, read one at a time. Buffers that the file lacks (the sinusoidal <c>pos_embed.pe</c>) keep what the constructor computed.
    /// Weights of convolutions are laid out channels-last, which is what the convolutions of channels-last images want; <c>contiguous()</c> before
    /// reading their bytes.
    /// </summary>
    /// <param name="module">Module whose names are diffusers' names.</param>
    /// <param name="weights">Tensors under those names.</param>
    /// <param name="model">What the module is called in messages, such as "motion module".</param>
    /// <param name="dtype">Type the parameters get.</param>
    /// <param name="device">Device they get, the CPU by default.</param>
    /// <param name="part">Which of the module's names the file is for, all by default: the image layers and the motion modules of one UNet come from two files.</param>
    /// <param name="keepsHalves">
    /// Whether the weights of linear layers and convolutions that the file has in fp16 stay so, and are had in <paramref name="dtype"/> by each call: half the memory, the same numbers.
    /// Not for training.
    /// </param>
    /// <exception cref="CheckpointException">Names or shapes differ.</exception>
    public static void Load(
        nn.Module module, StateDict weights, string model, ScalarType dtype = ScalarType.Float32, Device? device = null, Func<string, bool>? part = null,
        bool keepsHalves = false)
    {
        part ??= _ => true;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var parameters = module.named_parameters().Where(entry => part(entry.name)).ToDictionary(entry => entry.name, entry => entry.parameter.shape);
        var buffers = module.named_buffers().Where(entry => part(entry.name)).ToDictionary(entry => entry.name, entry => entry.buffer.shape);
        Check(weights, model, parameters, buffers);

        var waiting = parameters.Keys.ToHashSet();
        foreach (var (prefix, child) in Modules(module))
        {
            foreach (var (field, set) in Setters(child))
            {
                if (!waiting.Remove(Join(prefix, field)))
                    continue;
                using var read = NewDisposeScope();
                var weight = weights[Join(prefix, field)];
                set(Own(InPlace(weight, keepsHalves && child is WeightedLayer && IsHalf(weight) ? weight.DType : dtype, device ?? CPU)));
            }
            foreach (var (field, buffer) in child.named_buffers(recurse: false).Where(entry => buffers.ContainsKey(Join(prefix, entry.name))).ToList())
            {
                if (weights.TryGetValue(Join(prefix, field), out var tensor))
                    buffer.copy_(tensor.Read());
                child.to(device ?? CPU, dtype);
            }
        }
        Require(waiting, model);
    }

    /// <summary>Lets go of a module's parameters: it is as if built on the meta device, to be filled again by <see cref="Load"/>. Buffers stay.</summary>
    internal static void Unload(nn.Module module)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var (_, child) in Modules(module))
        {
            var own = child.named_parameters(recurse: false).ToDictionary(entry => entry.name, entry => entry.parameter);
            foreach (var (field, set) in Setters(child))
                if (own.TryGetValue(field, out var parameter))
                {
                    set((Parameter)new Parameter(empty(parameter.shape, parameter.dtype, META), requires_grad: false).DetachFromDisposeScope());
                    parameter.Dispose();
                }
        }
    }

    /// <summary>
    /// Gives the parameters of a module, which may have been built on the meta device, the values from which training starts: fp32 on the CPU, with
    /// PyTorch's defaults. Weights and biases of linear layers and convolutions are U(±1/√fan-in), those of normalisations 1 and 0, rows of embeddings
    /// N(0, 0.02) as in CLIP. Values depend only on the seed, the names and the shapes: they are drawn in the ordinal order of the names, each from one
    /// generator on the CPU. Nothing wants a gradient yet, and weights of images' convolutions are laid out channels-last, as after <see cref="Load"/>.
    /// </summary>
    /// <param name="module">The module; its buffers keep what the constructor computed.</param>
    /// <param name="part">Which of its names to fill, all by default; the others keep what they have.</param>
    /// <param name="seed">Seed of the generator.</param>
    /// <exception cref="InvalidOperationException">A parameter belongs to a type of module that this does not know.</exception>
    public static void Initialise(nn.Module module, Func<string, bool>? part, ulong seed)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var generator = new Generator(seed, CPU);
        var waiting = module.named_parameters().Select(entry => entry.name).Where(part ?? (_ => true)).ToHashSet();
        var slots =
            from own in Modules(module)
            from setter in Setters(own.Module)
            let name = Join(own.Prefix, setter.Field)
            where waiting.Contains(name)
            select (name, own.Module, setter.Field, setter.Set);
        foreach (var (name, owner, field, set) in slots.OrderBy(slot => slot.name, StringComparer.Ordinal).ToList())
        {
            using var draw = NewDisposeScope();
            var current = owner.named_parameters(recurse: false).ToDictionary(entry => entry.name, entry => entry.parameter.shape);
            var values = empty(current[field], ScalarType.Float32, CPU);
            if (owner is GroupNorm or LayerNorm)
                values.Fill(field == "weight" ? 1 : 0);
            else if (owner is Embedding)
                values.normal_(0, EmbeddingDeviation, generator);
            else
            {
                var bound = 1 / Math.Sqrt(current["weight"].Skip(1).Aggregate(1L, (product, size) => product * size));
                values.uniform_(-bound, bound, generator);
            }
            set(Own(values));
            waiting.Remove(name);
        }
        Require(waiting, "module");
    }

    private static List<(string Prefix, nn.Module Module)> Modules(nn.Module module)
        => [.. module.named_modules().Select(entry => (entry.name, entry.module)), ("", module)];

    private static string Join(string prefix, string field) => prefix == "" ? field : $"{prefix}.{field}";

    // Of the types of module that have parameters here, those that they have.
    private static IEnumerable<(string Field, Action<Parameter> Set)> Setters(nn.Module module) => module switch
    {
        WeightedLayer layer => [("weight", value => layer.weight = value), ("bias", value => layer.bias = value)],
        Convolution conv => [("weight", value => conv.weight = value), ("bias", value => conv.bias = value)],
        GroupNorm norm => [("weight", value => norm.weight = value), ("bias", value => norm.bias = value)],
        LayerNorm norm => [("weight", value => norm.weight = value), ("bias", value => norm.bias = value)],
        Embedding embedding => [("weight", value => embedding.weight = value)],
        IOwnParameter own => [(own.ParameterName, own.SetParameter)],
        _ => [],
    };

    /// <summary>Whether a weight can stay in fp16; biases do not, which say what a layer computes in.</summary>
    internal static bool IsHalf(WeightTensor weight) => weight.DType == ScalarType.Float16 && weight.Shape.Count > 1;

    // Converted and laid out in one pass over the file's tensor, into memory that is touched once. A window of one place, or of one channel, has one layout only.
    private static Tensor InPlace(WeightTensor weight, ScalarType dtype, Device device)
    {
        var raw = weight.Read();
        var isLaidOut = raw.shape is [_, > 1, var height, var width] && height * width > 1;
        if (!isLaidOut && raw.dtype == dtype)
            return raw.to(device);
        var own = empty(isLaidOut ? [raw.shape[0], raw.shape[2], raw.shape[3], raw.shape[1]] : raw.shape, dtype, device);
        NativeHeap.UseHugePages(own);
        return (isLaidOut ? own.permute(0, 3, 1, 2) : own).copy_(raw);
    }

    private static Parameter Own(Tensor tensor)
    {
        if (tensor.Dimensions == 4)
            tensor = tensor.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);
        return (Parameter)new Parameter(tensor, requires_grad: false).DetachFromDisposeScope();                  // the setter of an Embedding does not
    }

    private static void Require(HashSet<string> waiting, string model)
    {
        if (waiting.Count > 0)
            throw new InvalidOperationException($"The {model} holds parameters in modules of a type that is not filled here: {string.Join(", ", waiting.Order().Take(3))}.");
    }

    private static void Check(StateDict weights, string model, Dictionary<string, long[]> parameters, Dictionary<string, long[]> buffers)
    {
        string[] missing = [.. parameters.Keys.Where(name => !weights.ContainsKey(name)).Order()];
        string[] unexpected = [.. weights.Keys.Where(name => !parameters.ContainsKey(name) && !buffers.ContainsKey(name)).Order()];
        var mismatches = new List<string>();
        foreach (var (name, tensor) in weights)
        {
            var own = parameters.GetValueOrDefault(name) ?? buffers.GetValueOrDefault(name);
            if (own is not null && !own.SequenceEqual(tensor.Shape))
                mismatches.Add($"{name}: found [{string.Join(", ", tensor.Shape)}], expected [{string.Join(", ", own)}]");
        }
        if (missing.Length + unexpected.Length + mismatches.Count > 0)
            throw new CheckpointException(weights.Path, model, missing, unexpected, mismatches);
    }
}
