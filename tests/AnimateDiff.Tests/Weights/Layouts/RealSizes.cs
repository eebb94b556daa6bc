namespace AnimateDiff.Tests.Weights.Layouts;

/// <summary>Names and shapes of the checkpoints people have, at their real widths, as the official code and the trainers write them.</summary>
internal static class RealSizes
{
    public static readonly long[] Sd15 = [320, 640, 1280, 1280];
    public static readonly long[] Sdxl = [320, 640, 1280];

    /// <summary>An official motion module; <paramref name="rows"/> null leaves the position encoding out, as today's official code does.</summary>
    public static IEnumerable<(string Name, long[] Shape)> OfficialMotion(long[] widths, bool midBlock, int? rows, string prefix = "")
    {
        foreach (var (module, width) in MotionModules(widths, midBlock))
        {
            var transformer = $"{prefix}{module}.temporal_transformer.";
            foreach (var vector in new[] { "norm.weight", "norm.bias", "proj_in.bias", "proj_out.bias", "transformer_blocks.0.ff_norm.weight", "transformer_blocks.0.ff_norm.bias" })
                yield return (transformer + vector, [width]);
            yield return (transformer + "proj_in.weight", [width, width]);
            yield return (transformer + "proj_out.weight", [width, width]);
            yield return (transformer + "transformer_blocks.0.ff.net.0.proj.weight", [8 * width, width]);
            yield return (transformer + "transformer_blocks.0.ff.net.0.proj.bias", [8 * width]);
            yield return (transformer + "transformer_blocks.0.ff.net.2.weight", [width, 4 * width]);
            yield return (transformer + "transformer_blocks.0.ff.net.2.bias", [width]);
            for (var attention = 0; attention < 2; attention++)
            {
                var block = $"{transformer}transformer_blocks.0.attention_blocks.{attention}.";
                foreach (var matrix in new[] { "to_q", "to_k", "to_v", "to_out.0" })
                    yield return ($"{block}{matrix}.weight", [width, width]);
                yield return ($"{block}to_out.0.bias", [width]);
                yield return ($"{transformer}transformer_blocks.0.norms.{attention}.weight", [width]);
                yield return ($"{transformer}transformer_blocks.0.norms.{attention}.bias", [width]);
                if (rows is { } length)
                    yield return ($"{block}pos_encoder.pe", [1, length, width]);
            }
        }
    }

    /// <summary>An official MotionLoRA, or MotionDirector's, which spells the output projection differently and has the feed-forward layers too.</summary>
    public static IEnumerable<(string Name, long[] Shape)> MotionLora(long[] widths, bool midBlock, int rank = 64, bool motionDirector = false)
    {
        foreach (var (module, width) in MotionModules(widths, midBlock))
        {
            var block = $"{module}.temporal_transformer.transformer_blocks.0.";
            (string Layer, long In, long Out)[] layers =
            [
                .. from attention in new[] { 0, 1 }
                   from matrix in new[] { "processor.to_q", "processor.to_k", "processor.to_v", motionDirector ? "to_out.processor.0" : "processor.to_out" }
                   select ($"attention_blocks.{attention}.{matrix}", width, width),
                .. motionDirector ? [("ff.net.0.processor.proj", width, 8 * width), ("ff.net.processor.2", 4 * width, width)] : Array.Empty<(string, long, long)>(),
            ];
            foreach (var (layer, from, to) in layers)
            {
                yield return ($"{block}{layer}_lora.down.weight", [rank, from]);
                yield return ($"{block}{layer}_lora.up.weight", [to, rank]);
            }
        }
    }

    /// <summary>The layers of all spatial attentions, with the widths of their inputs and outputs.</summary>
    public static IEnumerable<(string Module, long In, long Out)> Attentions(long[] widths, bool[] attends, int[] depths, long text)
    {
        var last = widths.Length - 1;
        var places = new List<(string Path, int Level)>();
        for (var level = 0; level <= last; level++)
        {
            for (var layer = 0; layer < 2 && attends[level]; layer++)
                places.Add(($"down_blocks.{level}.attentions.{layer}", level));
            for (var layer = 0; layer < 3 && attends[last - level]; layer++)
                places.Add(($"up_blocks.{level}.attentions.{layer}", last - level));
        }
        places.Add(("mid_block.attentions.0", last));
        foreach (var (path, level) in places)
            for (var depth = 0; depth < depths[level]; depth++)
                foreach (var attention in new[] { "attn1", "attn2" })
                    foreach (var matrix in new[] { "to_q", "to_k", "to_v", "to_out.0" })
                        yield return ($"{path}.transformer_blocks.{depth}.{attention}.{matrix}", attention == "attn2" && (matrix is "to_k" or "to_v") ? text : widths[level], widths[level]);
    }

    public static IEnumerable<(string Module, long In, long Out)> Sd15Attentions => Attentions(Sd15, [true, true, true, false], [1, 1, 1, 1], 768);
    public static IEnumerable<(string Module, long In, long Out)> SdxlAttentions => Attentions(Sdxl, [false, true, true], [1, 2, 10], 2048);

    /// <summary>As much of a diffusers UNet as says what it is.</summary>
    public static IEnumerable<(string Name, long[] Shape)> UNet(long[] widths, bool[] attends, int[] depths, long text, bool linear, bool added)
    {
        yield return ("conv_in.weight", [widths[0], 4, 3, 3]);
        yield return ("conv_out.weight", [4, widths[0], 3, 3]);
        yield return ("time_embedding.linear_1.weight", [4 * widths[0], widths[0]]);
        for (var level = 0; level < widths.Length; level++)
        {
            yield return ($"down_blocks.{level}.resnets.0.conv1.weight", [widths[level], widths[Math.Max(0, level - 1)], 3, 3]);
            yield return ($"up_blocks.{level}.resnets.0.conv1.weight", [widths[^(level + 1)], 2 * widths[^(level + 1)], 3, 3]);
            if (attends[level])
                yield return ($"down_blocks.{level}.attentions.0.proj_in.weight", linear ? [widths[level], widths[level]] : [widths[level], widths[level], 1, 1]);
        }
        foreach (var (module, from, to) in Attentions(widths, attends, depths, text))
            yield return (module + ".weight", [to, from]);
        if (added)
            yield return ("add_embedding.linear_1.weight", [4 * widths[0], 2816]);
    }

    private static IEnumerable<(string Module, long Width)> MotionModules(long[] widths, bool midBlock)
    {
        for (var block = 0; block < widths.Length; block++)
        {
            for (var layer = 0; layer < 2; layer++)
                yield return ($"down_blocks.{block}.motion_modules.{layer}", widths[block]);
            for (var layer = 0; layer < 3; layer++)
                yield return ($"up_blocks.{block}.motion_modules.{layer}", widths[^(block + 1)]);
        }
        if (midBlock)
            yield return ("mid_block.motion_modules.0", widths[^1]);
    }
}
