using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Weights;

/// <summary>Motion modules between the official file and diffusers' folder. The position encoding is always written: many programs tell the versions by it and fail without.</summary>
internal static class MotionConversion
{
    private const string SecondTable = "attention_blocks.1.pos_encoder.pe";

    /// <summary>Writes a motion module in another layout.</summary>
    public static IReadOnlyList<string> Convert(string input, ConversionTarget to, CheckpointWriter writer)
    {
        using var files = MotionFiles.Open(input);
        if (to == ConversionTarget.Official && files.Traits.IsConvolution)
            throw new RequestException($"{input} convolves along the frames, and the official layout is for attention; convert it to diffusers.");
        RequireEqualTables(input);
        var weights = WithPositions(files);
        if (to == ConversionTarget.Official)
            writer.WriteFile(OfficialMotionLayout.FromDiffusers(weights), new Dictionary<string, string> { [BaseModelFiles.ConfigMetadata + "motion"] = files.Config });
        else
            writer.WriteFolder(folder => writer.WriteModel(folder, "diffusion_pytorch_model.safetensors", weights, files.Config));

        var notes = new List<string>(files.Kind.Warnings);
        if (weights.Count > files.Weights.Count)
            notes.Add($"The position encoding of {files.Traits.MaxFrames} frames was computed and written; the input had none.");
        if (files.Kind.Kind == CheckpointKind.MotionUNet)
            notes.Add("Only the motion modules were taken; the image layers of the input are left out.");
        return notes;
    }

    /// <summary>Sinusoids, <c>[1, L, C]</c>: sin in the even columns, cos in the odd ones, of position / 10000^(2i/C).</summary>
    internal static Tensor Positions(long length, long channels)
    {
        using var scope = NewDisposeScope();
        var position = Scalars.Arange(length, dtype: ScalarType.Float32).unsqueeze(1);
        var rate = Scalars.Arange(channels, step: 2, ScalarType.Float32).Times(-Math.Log(10000.0) / channels).exp();
        var table = zeros([1, length, channels]);
        table[0, .., TensorIndex.Slice(0, null, 2)] = sin(position * rate);
        table[0, .., TensorIndex.Slice(1, null, 2)] = cos(position * rate);
        return table.MoveToOuterDisposeScope();
    }

    private static StateDict WithPositions(MotionFiles files)
    {
        const string Norm = ".norm1.weight";
        if (files.Traits.IsConvolution)
            return files.Weights;
        var all = new Dictionary<string, WeightTensor>(files.Weights);
        foreach (var (name, norm) in files.Weights)
        {
            if (!name.EndsWith(Norm, StringComparison.Ordinal) || !name.Contains(".motion_modules.", StringComparison.Ordinal))
                continue;
            var (frames, channels, type) = (files.Traits.MaxFrames, norm.Shape[0], norm.DType);
            all.TryAdd(name[..^Norm.Length] + ".pos_embed.pe", new WeightTensor(type, [1, frames, channels], () =>
            {
                using var table = Positions(frames, channels);
                return table.to(type, copy: true);
            }));
        }
        return new StateDict(files.Path, all);
    }

    /// <summary>Diffusers has one table for both attentions of a block; a module whose tables differ would silently lose one.</summary>
    private static void RequireEqualTables(string input)
    {
        using var file = ModelFolder.Open(input);
        foreach (var (name, second) in file)
        {
            if (!name.EndsWith(SecondTable, StringComparison.Ordinal) || !file.TryGetValue(name.Replace("attention_blocks.1.", "attention_blocks.0."), out var first))
                continue;
            using var scope = NewDisposeScope();
            if (!first.Shape.SequenceEqual(second.Shape) || !first.Read().eq(second.Read()).all().item<bool>())
                throw new FileException(input, $"{input}: the position encodings of the two attentions of a block differ at '{name}'; "
                    + "no layout but the official one can hold that, so it is not converted.");
        }
    }
}
