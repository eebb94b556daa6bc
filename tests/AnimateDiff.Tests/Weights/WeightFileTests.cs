using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Weights;

public class WeightFileTests
{
    [Fact]
    public void The_content_decides_and_not_the_name()
    {
        using var folder = new TempFolder();
        File.Copy(Goldens.Model("motionlora-zoom-in.ckpt"), folder["a.safetensors"]);
        File.Copy(Goldens.Model("kohya-style.safetensors"), folder["b.ckpt"]);
        using var checkpoint = WeightFile.Open(folder["a.safetensors"]);
        using var safetensors = WeightFile.Open(folder["b.ckpt"]);
        Assert.Equal(("PyTorch zip", "safetensors"), (checkpoint.Format, safetensors.Format));
        Assert.Equal("safetensors", safetensors.Select(name => name).Format);
    }

    [Theory]
    [InlineData("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "git lfs pull")]
    [InlineData("\n<!DOCTYPE html><html>404</html>", "web page")]
    [InlineData("<HTML><body>403", "web page")]
    [InlineData("{\"error\":\"Repository not found\"}", "JSON")]
    [InlineData("GGUF\u0003\0\0\0", "GGUF")]
    [InlineData("", "empty")]
    [InlineData("hello, weights", "neither a safetensors file nor a PyTorch checkpoint")]
    public void What_came_instead_of_weights_is_named(string content, string expected)
    {
        using var folder = new TempFolder();
        Assert.Contains(expected, Assert.Throws<FileException>(() => WeightFile.Open(folder.Write("model.ckpt", content))).Message);
    }

    [Fact]
    public void A_folder_is_searched_in_a_fixed_order()
    {
        using var folder = new TempFolder();
        var nothing = Assert.Throws<FileException>(() => WeightFile.OpenFolder(folder.Path, "model"));
        Assert.Contains("model.safetensors, model.safetensors.index.json, model.fp16.safetensors", nothing.Message);
        Assert.Contains("pytorch_model.bin", nothing.Message);
        Assert.Throws<FileException>(() => WeightFile.OpenFolder(folder["none"], "model"));

        File.Copy(Goldens.Model("motionlora-zoom-in.ckpt"), folder["pytorch_model.bin"]);
        Assert.Equal("pytorch_model.bin", Opened(null));
        Write("model.fp16.safetensors");
        Assert.Equal("model.fp16.safetensors", Opened(null));
        Write("model.safetensors");
        Assert.Equal("model.safetensors", Opened(null));
        Assert.Equal("model.fp16.safetensors", Opened("fp16"));
        Assert.Equal("model.safetensors", Opened("ema"));

        void Write(string name)
        {
            using var a = zeros(1);
            SafetensorsWriter.Write(folder[name], [("a", a)]);
        }
        string Opened(string? variant)
        {
            using var weights = WeightFile.OpenFolder(folder.Path, "model", variant);
            return Path.GetFileName(weights.Path);
        }
    }

    [Theory]
    [InlineData("diffusion_pytorch_model.safetensors.index.json")]
    [InlineData("diffusion_pytorch_model.safetensors.index.fp16.json")]
    [InlineData("diffusion_pytorch_model.fp16.safetensors.index.json")]
    [InlineData("diffusion_pytorch_model.bin.index.json")]
    public void Shards_are_one_state_dict(string index)
    {
        using var folder = new TempFolder();
        Shards(folder, index, """{"metadata":{"total_size":12},"weight_map":{"a":"one","b":"two"}}""");
        using (var weights = WeightFile.OpenFolder(folder.Path, "diffusion_pytorch_model"))
        {
            Assert.Equal(["a", "b"], weights.Keys.Order());
            Assert.Equal("safetensors in 2 shards", weights.Format);
            using var b = weights["b"].Read();
            Assert.Equal([3f], b.data<float>().ToArray());
        }
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"one","b":"../two"}}""", "not the name of a file beside it")]
    [InlineData("""{"weight_map":{"a":"one","b":"/etc/passwd"}}""", "not the name of a file beside it")]
    [InlineData("""{"weight_map":{"a":"one","b":"three"}}""", "the shard 'three'")]
    [InlineData("""{"weight_map":{"a":"one","b":"two","c":"two"}}""", "places 'c' in 'two'")]
    [InlineData("""{"weight_map":{"a":"one"}}""", null)]
    [InlineData("""{"weight_map":{"a":"two","b":"two"}}""", "does not")]
    [InlineData("""{"weight_map":{"a":"one","b":7}}""", "not JSON with a weight_map")]
    [InlineData("""{"weight_map":{"a":"one","b":null}}""", "not the name")]
    [InlineData("""{"weight_map":[]}""", "not JSON with a weight_map")]
    [InlineData("""{"weight_map":{}}""", "empty")]
    [InlineData("""{"a":1,"a":2}""", "not JSON with a weight_map")]
    [InlineData("""[""", "not JSON with a weight_map")]
    public void An_index_that_does_not_match_its_shards_is_refused(string json, string? expected)
    {
        using var folder = new TempFolder();
        Shards(folder, "diffusion_pytorch_model.safetensors.index.json", json);
        if (expected is null)
            WeightFile.OpenFolder(folder.Path, "diffusion_pytorch_model").Dispose();
        else
            Assert.Contains(expected, Assert.Throws<FileException>(() => WeightFile.OpenFolder(folder.Path, "diffusion_pytorch_model")).Message);
    }

    private static void Shards(TempFolder folder, string index, string json)
    {
        using var a = tensor(new float[] { 1, 2 });
        using var b = tensor(new float[] { 3 });
        SafetensorsWriter.Write(folder["one"], [("a", a)]);
        SafetensorsWriter.Write(folder["two"], [("b", b)]);
        folder.Write(index, json);
    }
}
