using System.IO.Compression;
using System.Runtime.InteropServices;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Weights;

public class TorchCheckpointTests
{
    private static readonly byte[] Six = PickleWriter.Floats(0, 1, 2, 3, 4, 5);

    private static PickleWriter Tensor(PickleWriter pickle, long offset, long[] shape, long[] stride) => pickle.Tensor("FloatStorage", "0", 6, offset, shape, stride);

    private static float[] Read(StateDict weights, string name)
    {
        using var tensor = weights[name].Read();
        Assert.True(tensor.is_contiguous());
        Assert.Equal(weights[name].Shape, tensor.shape);
        return MemoryMarshal.Cast<byte, float>(tensor.bytes).ToArray();
    }

    [Fact]
    public void Official_files_open_with_their_names_and_metadata()
    {
        using var v1 = WeightFile.Open(Goldens.Model("motion-v1.ckpt"));
        Assert.Equal("PyTorch zip", v1.Format);
        Assert.Equal(560, v1.Count);
        Assert.All(v1.Keys, name => Assert.StartsWith("state_dict.", name));
        Assert.True(long.Parse(v1.Metadata["epoch"]) >= 0 && long.Parse(v1.Metadata["global_step"]) >= 0);

        using var v3 = WeightFile.Open(Goldens.Model("motion-v3.ckpt"));
        Assert.Contains(v3.Metadata.Keys, name => name.StartsWith("animatediff_config"));
        Assert.Contains("down_blocks.0.motion_modules.0.temporal_transformer.norm.weight", v3.Keys);
        foreach (var name in new[] { "domain-adapter.ckpt", "motionlora-zoom-in.ckpt", "motionlora-pan-left.ckpt" })
        {
            using var lora = WeightFile.Open(Goldens.Model(name));
            foreach (var (key, weight) in lora)
            {
                using var tensor = weight.Read();
                Assert.Equal(weight.Shape, tensor.shape);
                Assert.True(tensor.isfinite().all().item<bool>(), key);
            }
        }
    }

    [Fact]
    public void Checkpoint_and_safetensors_of_one_model_hold_the_same_bits()
    {
        Assert.SkipWhen(Goldens.Shared is null, "The single files are not in the repository; ANIMATEDIFF_GOLDENS names the full set.");
        using var checkpoint = WeightFile.Open(Goldens.Model("nano-sd15-single.ckpt"));
        using var expected = WeightFile.Open(Goldens.Model("nano-sd15-single.safetensors"));
        var own = checkpoint.Select(name => name.StartsWith("state_dict.") ? name["state_dict.".Length..] : name);
        Assert.Equal(expected.Keys.Order(), own.Keys.Order());
        foreach (var (name, weight) in expected)
        {
            using var left = own[name].Read();
            using var right = weight.Read();
            Assert.True(Bits.Same(left, right), name);
        }
    }

    [Fact]
    public void Views_of_one_storage_are_read_as_PyTorch_sees_them()
    {
        using var folder = new TempFolder();
        var pickle = new PickleWriter().Dict(
            ("whole", w => Tensor(w, 0, [2, 3], [3, 1])),
            ("transposed", w => Tensor(w, 0, [3, 2], [1, 3])),
            ("part", w => Tensor(w, 4, [2], [1])),
            ("every_second", w => Tensor(w, 1, [3], [2])),
            ("expanded", w => Tensor(w, 5, [2, 2], [0, 0])),
            ("scalar", w => Tensor(w, 3, [], [])),
            ("none", w => Tensor(w, 6, [0, 7], [7, 1]))).Stop().ToArray();
        foreach (var (name, bytes) in new[]
        {
            ("stored", PickleWriter.Zip(pickle, [("0", Six)])),
            ("deflated", PickleWriter.Zip(pickle, [("0", Six)], CompressionLevel.SmallestSize)),
        })
        {
            using var weights = WeightFile.Open(folder.Write(name, bytes));
            Assert.Equal([0f, 1, 2, 3, 4, 5], Read(weights, "whole"));
            Assert.Equal([0f, 3, 1, 4, 2, 5], Read(weights, "transposed"));
            Assert.Equal([4f, 5], Read(weights, "part"));
            Assert.Equal([1f, 3, 5], Read(weights, "every_second"));
            Assert.Equal([5f, 5, 5, 5], Read(weights, "expanded"));
            Assert.Equal([3f], Read(weights, "scalar"));
            Assert.Empty(Read(weights, "none"));
        }
    }

    [Fact]
    public void Files_of_PyTorch_before_1_6_are_read()
    {
        using var folder = new TempFolder();
        var pickle = new PickleWriter().Dict(
            ("epoch", w => w.Op('K').Raw(7)),
            ("state_dict", w => w.Dict(
                ("b", w => w.Tensor("HalfStorage", "94", 2, 0, [2], [1], legacy: true)),
                ("a", w => w.Tensor("FloatStorage", "93", 6, 2, [2, 2], [2, 1], legacy: true))))).Stop().ToArray();
        byte[] halves = [0x00, 0x3c, 0x00, 0x40];
        using var weights = WeightFile.Open(folder.Write("old.pt", PickleWriter.Legacy(pickle, [("93", 6, Six), ("94", 2, halves)])));
        Assert.Equal("PyTorch before 1.6", weights.Format);
        Assert.Equal("7", weights.Metadata["epoch"]);
        Assert.Equal([2f, 3, 4, 5], Read(weights, "state_dict.a"));
        using var b = weights["state_dict.b"].Read();
        Assert.Equal([1f, 2], b.to(ScalarType.Float32).data<float>().ToArray());
        Assert.Contains("big-endian", Assert.Throws<FileException>(() => WeightFile.Open(folder.Write("big.pt", PickleWriter.Legacy(pickle, [("93", 6, Six), ("94", 2, halves)], littleEndian: false)))).Message);
    }

    [Fact]
    public void Training_state_beside_the_weights_is_passed_over()
    {
        using var folder = new TempFolder();
        var pickle = new PickleWriter(4).Dict(
            ("pytorch-lightning_version", w => w.Text("1.4.2")),
            ("learning_rate", w => w.Op('G').Raw(0x3f, 0xf8, 0, 0, 0, 0, 0, 0)),
            ("done", w => w.Op(0x88)),
            ("nothing", w => w.Op('N')),
            ("seed", w => w.Op(0x8a).Raw(9).Raw(0, 0, 0, 0, 0, 0, 0, 0, 1)),
            ("betas", w => w.Op('K').Raw(1).Op('K').Raw(2).Op(0x86)),
            ("callbacks", w => w.Op('}').Global("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint").Dict(
                ("best_model_score", w => w.Global("numpy.core.multiarray", "scalar").Global("numpy", "dtype").Op(')').Op('R').Op('N').Op(0x86).Op('R'))).Op('s')),
            ("hyper_parameters", w => w.Global("pytorch_lightning.utilities.parsing", "AttributeDict").Op(')').Op(0x81).Text("a").Op('K').Raw(1).Op('s')),
            ("dtype", w => w.Global("torch", "float16")),
            ("state_dict", w => w.Global("collections", "OrderedDict").Op(')').Op('R').Op('(')
                .Text("a").Global("torch._utils", "_rebuild_parameter").Op('(').Tensor("FloatStorage", "0", 6, 0, [6], [1]).Op(0x88).Op('N').Op('t').Op('R')
                .Text("b").Global("torch._tensor", "_rebuild_from_type_v2").Op('(').Global("torch._utils", "_rebuild_tensor_v2").Global("torch.nn.parameter", "Parameter")
                    .Op('(').Storage("FloatStorage", "0", 6).Number(5).Tuple(1).Tuple(1).Op(0x89).Op('N').Op('t').Op('}').Op('t').Op('R')
                .Op('u').Dict(("_metadata", w => w.Dict(("version", w => w.Op('K').Raw(1))))).Op('b'))).Stop().ToArray();
        using var weights = WeightFile.Open(folder.Write("x.ckpt", PickleWriter.Zip(pickle, [("0", Six)])));
        Assert.Equal(["state_dict.a", "state_dict.b"], weights.Keys);
        Assert.Equal([5f], Read(weights, "state_dict.b"));
        Assert.Equal(("1.4.2", "1.5", "True", "18446744073709551616", "2"), (weights.Metadata["pytorch-lightning_version"], weights.Metadata["learning_rate"], weights.Metadata["done"], weights.Metadata["seed"], weights.Metadata["betas.1"]));
    }

    [Fact]
    public void What_is_no_state_dict_is_refused_with_what_to_do()
    {
        using var folder = new TempFolder();
        var good = new PickleWriter().Dict(("a", w => Tensor(w, 0, [6], [1]))).Stop().ToArray();
        Refused(PickleWriter.Zip(good, [("0", Six)], byteOrder: "big"), "byte order");
        Refused(PickleWriter.Zip(good, [("0", Six), ("../../code/a.py", Six)]), "leads out of the archive");
        Refused(PickleWriter.Zip(good, [("1", Six)]), "'model/data/0', the data of a tensor, is not in it");
        Refused(PickleWriter.Zip(good, [("0", Six[4..])]), "has 20 bytes and its tensor 24");
        Refused(PickleWriter.Zip(good, [("0", Six)], root: "model/deeper"), "without the one data.pkl");
        Refused(TorchScript(), "TorchScript");
        Refused(PickleWriter.Zip(new PickleWriter().Dict(("epoch", w => w.Op('N'))).Stop().ToArray(), []), "no tensor in it");

        void Refused(byte[] file, string expected) => Assert.Contains(expected, Assert.Throws<FileException>(() => WeightFile.Open(folder.Write("x.ckpt", file))).Message);

        byte[] TorchScript()
        {
            var bytes = new MemoryStream();
            bytes.Write(PickleWriter.Zip(good, [("0", Six)]));
            using (var archive = new ZipArchive(bytes, ZipArchiveMode.Update, leaveOpen: true))
                archive.CreateEntry("model/constants.pkl").Open().Dispose();
            return bytes.ToArray();
        }
    }
}
