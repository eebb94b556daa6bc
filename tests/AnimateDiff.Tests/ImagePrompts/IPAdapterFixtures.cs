using AnimateDiff.Tests.Weights;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.ImagePrompts;

/// <summary>Made IP-Adapters around the reference one.</summary>
internal static class IPAdapterFixtures
{
    /// <summary>The reference IP-Adapter, plain with four tokens.</summary>
    public static string Plain => Goldens.Model("ip-adapter/ip-adapter.safetensors");

    /// <summary>The vision model it was made for.</summary>
    public static string Encoder => Goldens.Model("ip-adapter/image_encoder");

    /// <summary>The pictures of the reference case.</summary>
    public static string[] Pictures => [Goldens.Input("ip-image/000.png"), Goldens.Input("ip-image/001.png")];

    /// <summary>A Plus adapter for the reference models: the plain one's keys and values, with a resampler of small random weights.</summary>
    public static string Plus(TempFolder folder)
    {
        using var scope = NewDisposeScope();
        using var plain = WeightFile.Open(Plain);
        using var generator = new Generator(5);
        (string, long[])[] resampler =
        [
            ("latents", [1, 6, 32]), ("proj_in.weight", [32, 64]), ("proj_in.bias", [32]), ("proj_out.weight", [48, 32]), ("proj_out.bias", [48]),
            ("norm_out.weight", [48]), ("norm_out.bias", [48]),
            .. Enumerable.Range(0, 2).SelectMany(layer => new (string, long[])[]
            {
                ($"layers.{layer}.0.norm1.weight", [32]), ($"layers.{layer}.0.norm1.bias", [32]), ($"layers.{layer}.0.norm2.weight", [32]), ($"layers.{layer}.0.norm2.bias", [32]),
                ($"layers.{layer}.0.to_q.weight", [128, 32]), ($"layers.{layer}.0.to_kv.weight", [256, 32]), ($"layers.{layer}.0.to_out.weight", [32, 128]),
                ($"layers.{layer}.1.0.weight", [32]), ($"layers.{layer}.1.0.bias", [32]), ($"layers.{layer}.1.1.weight", [128, 32]), ($"layers.{layer}.1.3.weight", [32, 128]),
            }),
        ];
        SafetensorsWriter.Write(folder["plus.safetensors"],
        [
            .. plain.Where(entry => entry.Key.StartsWith("ip_adapter.")).Select(entry => (entry.Key, entry.Value.Read())),
            .. resampler.Select(entry => ($"image_proj.{entry.Item1}", randn(entry.Item2, generator: generator) * 0.3)),
        ]);
        return folder["plus.safetensors"];
    }

    /// <summary>The reference adapter as the official .bin: two dictionaries in one.</summary>
    public static string Bin(TempFolder folder)
    {
        using var scope = NewDisposeScope();
        using var plain = WeightFile.Open(Plain);
        var storages = plain.Select((entry, index) => (entry.Key, Number: $"{index}", Tensor: entry.Value.Read())).ToArray();
        Action<PickleWriter> Part(string prefix) => writer => writer.Dict([.. storages.Where(entry => entry.Key.StartsWith(prefix)).Select(entry =>
            (entry.Key[prefix.Length..], (Action<PickleWriter>)(value => value.Tensor("HalfStorage", entry.Number, entry.Tensor.numel(), 0, entry.Tensor.shape, entry.Tensor.stride()))))]);
        var pickle = new PickleWriter().Dict(("image_proj", Part("image_proj.")), ("ip_adapter", Part("ip_adapter."))).Stop().ToArray();
        return folder.Write("ip-adapter.bin", PickleWriter.Zip(pickle, storages.Select(entry => (entry.Number, entry.Tensor.bytes.ToArray()))));
    }

    /// <summary>An adapter with SDXL's number of layers and width of text.</summary>
    public static string Sdxl(TempFolder folder)
    {
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(folder["sdxl.safetensors"],
        [
            ("image_proj.proj.weight", zeros(8192, 8)), ("image_proj.proj.bias", zeros(8192)), ("image_proj.norm.weight", zeros(2048)), ("image_proj.norm.bias", zeros(2048)),
            .. Enumerable.Range(0, 70).SelectMany(layer => new[] { "to_k_ip", "to_v_ip" }.Select(name => ($"ip_adapter.{2 * layer + 1}.{name}.weight", zeros(4, 2048)))),
        ]);
        return folder["sdxl.safetensors"];
    }

    /// <summary>The reference adapter with its tensors renamed; those without a new name are left out.</summary>
    public static string Renamed(TempFolder folder, Func<string, string?> rename)
    {
        using var plain = WeightFile.Open(Plain);
        SafetensorsWriter.Write(folder["other.safetensors"], plain.Select(rename));
        return folder["other.safetensors"];
    }
}
