using AnimateDiff.Text;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Text;

internal static class TextEncoders
{
    /// <summary>The text encoder of nano-sd15, built on the meta device and filled from its file.</summary>
    public static ClipTextModel Nano(ScalarType dtype = ScalarType.Float32)
    {
        var folder = Path.Combine(Goldens.Model("nano-sd15"), "text_encoder");
        var model = new ClipTextModel(ClipTextConfig.Read(Path.Combine(folder, "config.json")), META);
        using var weights = SafetensorsFile.Open(Path.Combine(folder, "model.safetensors"));
        ModuleWeights.Load(model, weights, "text encoder", dtype);
        model.eval();
        return model;
    }
}
