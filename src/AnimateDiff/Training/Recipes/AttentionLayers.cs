using AnimateDiff.Denoising;
using AnimateDiff.Weights;
using AnimateDiff.Weights.Layouts;
using TorchSharp.Modules;

namespace AnimateDiff.Training.Recipes;

/// <summary>The linear layers that adapters are trained for, and the files that hold them.</summary>
internal static class AttentionLayers
{
    /// <summary>to_q, to_k, to_v and to_out of self- and cross-attention of the image layers.</summary>
    public static IEnumerable<(string Path, Linear Layer)> OfImages(UNetMotionModel unet) => Of(unet, name => !UNetMotionModel.IsMotion(name));

    /// <summary>The same of the motion modules' self-attention.</summary>
    public static IEnumerable<(string Path, Linear Layer)> OfMotion(UNetMotionModel unet) => Of(unet, UNetMotionModel.IsMotion);

    /// <summary>Writes trained matrices.</summary>
    /// <param name="path">The .safetensors file.</param>
    /// <param name="layers">Paths of the layers.</param>
    /// <param name="weights">Matrices by path and part.</param>
    /// <param name="name">Name of a matrix in the file's layout.</param>
    /// <param name="type">Type to write.</param>
    public static void Write(string path, IEnumerable<string> layers, IReadOnlyDictionary<string, Tensor> weights, Func<LoraName, string> name, ScalarType type)
    {
        var tensors = new List<(string, Tensor)>();
        foreach (var layer in layers)
        {
            tensors.Add((name(new LoraName(layer, LoraPart.Down)), weights[$"{layer}.down"]));
            tensors.Add((name(new LoraName(layer, LoraPart.Up)), weights[$"{layer}.up"]));
        }
        SafetensorsWriter.Write(path, tensors, new Dictionary<string, string> { ["format"] = "pt" }, type);
    }

    /// <summary>Names in kohya's layout.</summary>
    public static string Kohya(LoraName name) => KohyaLoraLayout.Format(name, sdxl: false);

    private static IEnumerable<(string Path, Linear Layer)> Of(UNetMotionModel unet, Func<string, bool> part) =>
        from entry in unet.named_modules()
        where part(entry.name) && entry.module is Linear && (entry.name.Contains(".attn1.") || entry.name.Contains(".attn2."))
        select ($"unet.{entry.name}", (Linear)entry.module);
}
