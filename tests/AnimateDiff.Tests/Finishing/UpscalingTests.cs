using AnimateDiff.Finishing;
using AnimateDiff.Video;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Finishing;

public sealed class UpscalingTests(ITestOutputHelper output) : IDisposable
{
    private const int Channels = 4, Growth = 2;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A picture whose large version is known: pixels of the small one are means of squares of the large one.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Without_a_model_it_is_nearer_to_the_truth_than_bicubic_and_does_not_overshoot(int factor)
    {
        using var scope = NewDisposeScope();
        var truth = Scenes.Render(Scenes.Disc(0, 0, 17.3, isPlain: true), 64, 0);
        using var large = truth.ToTensor();
        var small = nn.functional.avg_pool2d(large, [factor, factor]);
        double Psnr(Tensor picture) => Scenes.Psnr(VideoFrames.FromTensor(picture)[0], truth[0]);

        var made = Upscaling.Sharp(small, factor);

        var (own, lanczos, bicubic) = (Psnr(made), Psnr(Lanczos.Resize(small, 64, 64)), Psnr(nn.functional.interpolate(small, size: [64, 64], mode: InterpolationMode.Bicubic, align_corners: false)));
        output.WriteLine($"×{factor}: {own:0.00} dB, Lanczos {lanczos:0.00} dB, bicubic {bicubic:0.00} dB");
        Assert.InRange(own - Math.Max(lanczos, bicubic), 0.3, 50);
        Assert.InRange(made.max().item<float>(), -1, small.max().item<float>());
        Assert.InRange(made.min().item<float>(), small.min().item<float>(), 1);
    }

    [Fact]
    public void Lanczos_keeps_flat_pictures_and_its_own_size_and_shrinks_without_aliases()
    {
        using var scope = NewDisposeScope();
        var noise = randn([2, 3, 12, 10]);
        Assert.InRange(Goldens.Difference(Lanczos.Resize(noise, 12, 10), noise), 0, 1e-6);
        Assert.InRange(Goldens.Difference(Lanczos.Resize(ones([1, 3, 7, 5]), 20, 3), ones([1, 3, 20, 3])), 0, 1e-6);
        var stripes = (arange(64) % 2).to(ScalarType.Float32).view(1, 1, 1, 64).expand(1, 1, 8, 64);         // too fine for a quarter of the size: grey
        Assert.InRange(Goldens.Difference(Lanczos.Resize(stripes, 8, 16)[.., .., .., 2..14], full([1, 1, 8, 12], 0.5f)), 0, 0.02);
    }

    [Theory]
    [InlineData(1, 4)]
    [InlineData(2, 2)]
    public async Task An_upscaler_computes_its_formula_in_both_layouts_and_in_tiles(int shrink, int scale)
    {
        var (weights, picture) = (Weights(shrink), Scenes.Render(Scenes.Pan(0, 0), 21, 0));
        using var input = picture.ToTensor();
        var expected = Formula(weights, input, shrink);
        Assert.Equal([1, 3, 21 * scale, 21 * scale], expected.shape);

        var (now, then) = (_folder["now.safetensors"], _folder["then.safetensors"]);
        SafetensorsWriter.Write(now, weights.Select(entry => KeyValuePair.Create($"params_ema.{entry.Key}", WeightTensor.Of(entry.Value))));
        SafetensorsWriter.Write(then, weights.Select(entry => KeyValuePair.Create(OldName(entry.Key), WeightTensor.Of(entry.Value))));
        foreach (var file in new[] { now, then })
        {
            using var model = UpscaleModel.Load(file, CPU);
            using var made = model.Enlarge(input, CancellationToken.None);
            Assert.InRange(Goldens.Difference(made, expected), 0, 1e-5);
        }
        using (var tiled = UpscaleModel.Load(now, CPU, tile: 8))
        {
            using var made = tiled.Enlarge(input, CancellationToken.None);
            Assert.InRange(Goldens.Difference(made, expected), 0, 1e-3);
        }
        var clip = await ClipFinisher.ApplyAsync(picture, new Finish(Upscale: 2, UpscaleModel: now), cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal((1, 42, 42), (clip.Frames, clip.Height, clip.Width));
    }

    [Fact]
    public async Task What_is_no_upscaler_is_refused()
    {
        var (other, damaged) = (_folder["other.safetensors"], _folder["damaged.safetensors"]);
        SafetensorsWriter.Write(other, [KeyValuePair.Create("body.0.weight", WeightTensor.Of(ones(2)))]);
        SafetensorsWriter.Write(damaged, Weights(1).Where(entry => entry.Key != "conv_up2.bias").Select(entry => KeyValuePair.Create(entry.Key, WeightTensor.Of(entry.Value))));
        foreach (var (path, message) in new[] { (other, "no upscaler that is known"), (damaged, "conv_up2.bias"), (_folder["none.pth"], "none.pth") })
        {
            var finish = new Finish(Upscale: 2, UpscaleModel: path);
            var error = await Assert.ThrowsAnyAsync<FileException>(() => ClipFinisher.ApplyAsync(new VideoFrames(1, 4, 4, new byte[48]), finish, cancellationToken: TestContext.Current.CancellationToken));
            Assert.Contains(message, error.Message);
        }
    }

    /// <summary>Weights of a small upscaler of one block, small enough that its result stays near its input's range.</summary>
    internal static Dictionary<string, Tensor> Weights(int shrink)
    {
        using var generator = new Generator(5, CPU);
        var weights = new Dictionary<string, Tensor>();
        void Convolution(string name, long from, long to)
        {
            weights[$"{name}.weight"] = randn([to, from, 3, 3], generator: generator) * (0.7 / Math.Sqrt(9.0 * from));
            weights[$"{name}.bias"] = randn([to], generator: generator) * 0.1;
        }
        Convolution("conv_first", 3 * shrink * shrink, Channels);
        for (var dense = 1; dense <= 3; dense++)
            for (var conv = 1; conv <= 5; conv++)
                Convolution($"body.0.rdb{dense}.conv{conv}", Channels + (conv - 1) * Growth, conv == 5 ? Channels : Growth);
        foreach (var name in new[] { "conv_body", "conv_up1", "conv_up2", "conv_hr" })
            Convolution(name, Channels, Channels);
        Convolution("conv_last", Channels, 3);
        return weights;
    }

    // The whole network once more, in one piece and from the tensors by their names.
    private static Tensor Formula(Dictionary<string, Tensor> weights, Tensor picture, int shrink)
    {
        Tensor Convolution(string name, Tensor x) => nn.functional.conv2d(x, weights[$"{name}.weight"], weights[$"{name}.bias"], padding: [1, 1]);
        Tensor Leaky(Tensor x) => nn.functional.leaky_relu(x, 0.2);
        Tensor Double(Tensor x) => x.repeat_interleave(2, 2).repeat_interleave(2, 3);
        var odd = (shrink - picture.shape[2] % shrink) % shrink;
        var input = nn.functional.pad(picture / 2 + 0.5, [0, odd, 0, odd], PaddingModes.Replicate);
        var first = Convolution("conv_first", shrink == 1 ? input : nn.functional.pixel_unshuffle(input, shrink));
        var x = first;
        for (var dense = 1; dense <= 3; dense++)
        {
            var seen = new List<Tensor> { x };
            for (var conv = 1; conv <= 4; conv++)
                seen.Add(Leaky(Convolution($"body.0.rdb{dense}.conv{conv}", cat(seen, 1))));
            x = x + 0.2 * Convolution($"body.0.rdb{dense}.conv5", cat(seen, 1));
        }
        x = first + Convolution("conv_body", first + 0.2 * x);
        x = Leaky(Convolution("conv_up2", Double(Leaky(Convolution("conv_up1", Double(x))))));
        var size = picture.shape[2] * 4 / shrink;
        return Convolution("conv_last", Leaky(Convolution("conv_hr", x)))[.., .., ..(int)size, ..(int)size] * 2 - 1;
    }

    private static string OldName(string name)
    {
        var (stem, kind) = (name[..name.LastIndexOf('.')], name[(name.LastIndexOf('.') + 1)..]);
        return (stem.Split('.') is ["body", "0", var dense, var conv] ? $"model.1.sub.0.RDB{dense[^1]}.{conv}.0" : stem switch
        {
            "conv_first" => "model.0",
            "conv_body" => "model.1.sub.1",
            "conv_up1" => "model.3",
            "conv_up2" => "model.6",
            "conv_hr" => "model.8",
            _ => "model.10",
        }) + $".{kind}";
    }
}
