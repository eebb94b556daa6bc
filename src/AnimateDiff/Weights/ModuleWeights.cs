using TorchSharp.Modules;

namespace AnimateDiff.Weights;

/// <summary>Puts the tensors of a state dict into a module, strictly: every name and shape must be the module's.</summary>
public static class ModuleWeights
{
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
    /// <exception cref="CheckpointException">Names or shapes differ.</exception>
    public static void Load(
        nn.Module module, StateDict weights, string model, ScalarType dtype = ScalarType.Float32, Device? device = null, Func<string, bool>? part = null)
    {
        part ??= _ => true;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var parameters = module.named_parameters().Where(entry => part(entry.name)).ToDictionary(entry => entry.name, entry => entry.parameter.shape);
        var buffers = module.named_buffers().Where(entry => part(entry.name)).ToDictionary(entry => entry.name, entry => entry.buffer.shape);
        Check(weights, model, parameters, buffers);

        var waiting = parameters.Keys.ToHashSet();
        foreach (var (prefix, child) in module.named_modules().Append((name: "", module)).ToList())
        {
            string Name(string field) => prefix == "" ? field : $"{prefix}.{field}";
            void Put(string field, Action<Parameter> set)
            {
                if (!waiting.Remove(Name(field)))
                    return;
                using var read = NewDisposeScope();
                var tensor = weights[Name(field)].Read().to(dtype, device ?? CPU);
                if (tensor.Dimensions == 4)
                    tensor = tensor.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);
                set((Parameter)new Parameter(tensor, requires_grad: false).DetachFromDisposeScope());       // the setter of an Embedding does not
            }
            switch (child)
            {
                case Linear linear:
                    Put("weight", value => linear.weight = value);
                    Put("bias", value => linear.bias = value);
                    break;
                case Conv2d conv:
                    Put("weight", value => conv.weight = value);
                    Put("bias", value => conv.bias = value);
                    break;
                case GroupNorm norm:
                    Put("weight", value => norm.weight = value);
                    Put("bias", value => norm.bias = value);
                    break;
                case LayerNorm norm:
                    Put("weight", value => norm.weight = value);
                    Put("bias", value => norm.bias = value);
                    break;
                case Embedding embedding:
                    Put("weight", value => embedding.weight = value);
                    break;
            }
            foreach (var (field, buffer) in child.named_buffers(recurse: false).Where(entry => buffers.ContainsKey(Name(entry.name))).ToList())
            {
                if (weights.TryGetValue(Name(field), out var tensor))
                    buffer.copy_(tensor.Read());
                child.to(device ?? CPU, dtype);
            }
        }
        if (waiting.Count > 0)
            throw new InvalidOperationException($"The {model} holds parameters in modules of a type that is not loaded here: {string.Join(", ", waiting.Order().Take(3))}.");
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
