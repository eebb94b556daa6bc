using System.Text.Json;
using AnimateDiff.Denoising;
using AnimateDiff.Text;
using AnimateDiff.Vae;
using AnimateDiff.Weights;

namespace AnimateDiff.Benchmarks;

/// <summary>Models of the real sizes with random weights, for measuring where real ones cannot be had: they compute as long and take as much memory.</summary>
internal static class RandomModel
{
    public static void Write(string folder)
    {
        var sd15 = Path.Combine(folder, "sd15");
        using var unet = new UNetMotionModel(new UNetConfig(), null, META);
        using var motion = new UNetMotionModel(new UNetConfig(), new MotionConfig(), META);
        using var vae = new AutoencoderKL(new VaeConfig(), META);
        using var text = new ClipTextModel(new ClipTextConfig(), META);
        using var generator = new Generator(0, CPU);

        Part(Path.Combine(sd15, "unet"), "diffusion_pytorch_model", Weights(unet, _ => true, generator), weights => ModelConfigs.Text(ModelConfigs.UNet(weights)));
        Part(Path.Combine(sd15, "vae"), "diffusion_pytorch_model", Weights(vae, _ => true, generator), weights => ModelConfigs.Text(ModelConfigs.Vae(weights, ModelFamily.StableDiffusion1)));
        Part(Path.Combine(sd15, "text_encoder"), "model", Weights(text, _ => true, generator), weights => ModelConfigs.Text(ModelConfigs.Text(weights)));
        Vocabulary(Path.Combine(sd15, "tokenizer"));
        File.WriteAllText(Path.Combine(sd15, "model_index.json"), """{ "_class_name": "StableDiffusionPipeline" }""");
        SafetensorsWriter.Write(Path.Combine(folder, "motion-v3.safetensors"), Weights(motion, UNetMotionModel.IsMotion, generator));
        Console.WriteLine(folder);
    }

    /// <summary>Normal weights of variance 1/fan-in, norms of one, no bias; each is drawn when it is written.</summary>
    private static StateDict Weights(nn.Module model, Func<string, bool> part, Generator generator) => new("random", model.state_dict()
        .Where(entry => part(entry.Key))
        .ToDictionary(entry => entry.Key, entry => new WeightTensor(ScalarType.Float16, entry.Value.shape, () => Draw(entry.Key, entry.Value, generator))));

    private static Tensor Draw(string name, Tensor own, Generator generator)
    {
        using var scope = NewDisposeScope();
        var shape = own.shape;
        var tensor = name.EndsWith("pos_embed.pe", StringComparison.Ordinal) ? own
            : shape.Length > 1 ? randn(shape, generator: generator) / Math.Sqrt(shape.Skip(1).Aggregate(1L, (product, size) => product * size))
            : name.EndsWith(".bias", StringComparison.Ordinal) ? zeros(shape) : ones(shape);
        return tensor.to(ScalarType.Float16).MoveToOuterDisposeScope();
    }

    private static void Part(string folder, string stem, StateDict weights, Func<StateDict, string> config)
    {
        Directory.CreateDirectory(folder);
        SafetensorsWriter.Write(Path.Combine(folder, stem + ".safetensors"), weights);
        File.WriteAllText(Path.Combine(folder, "config.json"), config(weights));
        Console.Error.WriteLine($"{folder}: {weights.Values.Sum(tensor => tensor.ElementCount):N0} parameters");
    }

    /// <summary>A vocabulary of single bytes in CLIP's file format: enough to turn any prompt into ids.</summary>
    private static void Vocabulary(string folder)
    {
        Directory.CreateDirectory(folder);
        var next = 0x100;
        string[] letters = [.. Enumerable.Range(0, 256).Select(value => ((char)(value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE ? value : next++)).ToString())];
        string[] tokens = [.. letters, .. letters.Select(letter => letter + "</w>"), "<|startoftext|>", "<|endoftext|>"];
        File.WriteAllText(Path.Combine(folder, "vocab.json"), JsonSerializer.Serialize(tokens.Index().ToDictionary(entry => entry.Item, entry => entry.Index)));
        File.WriteAllText(Path.Combine(folder, "merges.txt"), "#version: 0.2\n");
    }
}
