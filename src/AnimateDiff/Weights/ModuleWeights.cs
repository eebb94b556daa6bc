using TorchSharp.Modules;

namespace AnimateDiff.Weights;

/// <summary>Puts the tensors of a state dict into a module, strictly: every name and shape must be the module's.</summary>
public static class ModuleWeights
{
    /// <summary>
    /// Fills <paramref name="module"/>, which may have been built on the meta device: its parameters become the file's tensors in <paramref name="dtype"/>
    /// on <paramref name="device"/>, read one at a time. Buffers that the file lacks (the sinusoidal <c>pos_embed.pe</c>) keep what the constructor computed.
    /// </summary>
    /// <param name="module">Module whose names are diffusers' names.</param>
    /// <param name="weights">Tensors under those names.</param>
    /// <param name="model">What the module is called in messages, such as "motion module".</param>
    /// <param name="dtype">Type the parameters get.</param>
    /// <param name="device">Device they get, the CPU by default.</param>
    /// <exception cref="CheckpointException">Names or shapes differ.</exception>
    public static void Load(nn.Module module, StateDict weights, string model, ScalarType dtype = ScalarType.Float32, Device? device = null)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var parameters = module.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        var buffers = module.named_buffers().ToDictionary(entry => entry.name, entry => entry.buffer);
        Check(weights, model, parameters, buffers);

        foreach (var (prefix, part) in module.named_modules().Append((name: "", module)))
        {
            Parameter Read(string name)
            {
                using var raw = weights[prefix == "" ? name : $"{prefix}.{name}"].Read();
                return new Parameter(raw.to(dtype, device ?? CPU, copy: true), requires_grad: false);
            }
            switch (part)
            {
                case Linear linear:
                    linear.weight = Read("weight");
                    if (linear.bias is not null) linear.bias = Read("bias");
                    break;
                case Conv2d conv:
                    conv.weight = Read("weight");
                    if (conv.bias is not null) conv.bias = Read("bias");
                    break;
                case GroupNorm norm:
                    norm.weight = Read("weight");
                    norm.bias = Read("bias");
                    break;
                case LayerNorm norm:
                    norm.weight = Read("weight");
                    norm.bias = Read("bias");
                    break;
                case Embedding embedding:
                    embedding.weight = Read("weight");
                    break;
            }
        }
        foreach (var (name, buffer) in buffers)
            if (weights.TryGetValue(name, out var tensor))
                buffer.copy_(tensor.Read());
    }

    private static void Check(StateDict weights, string model, Dictionary<string, Parameter> parameters, Dictionary<string, Tensor> buffers)
    {
        string[] missing = [.. parameters.Keys.Where(name => !weights.ContainsKey(name)).Order()];
        string[] unexpected = [.. weights.Keys.Where(name => !parameters.ContainsKey(name) && !buffers.ContainsKey(name)).Order()];
        var mismatches = new List<string>();
        foreach (var (name, tensor) in weights)
        {
            var own = parameters.TryGetValue(name, out var parameter) ? parameter.shape : buffers.TryGetValue(name, out var buffer) ? buffer.shape : null;
            if (own is not null && !own.SequenceEqual(tensor.Shape))
                mismatches.Add($"{name}: found [{string.Join(", ", tensor.Shape)}], expected [{string.Join(", ", own)}]");
        }
        if (missing.Length + unexpected.Length + mismatches.Count > 0)
            throw new CheckpointException(weights.Path, model, missing, unexpected, mismatches);
    }
}
