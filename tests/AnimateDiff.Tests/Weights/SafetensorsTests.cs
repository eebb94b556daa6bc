using System.Text;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Weights;

public class SafetensorsTests
{
    [Theory]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Int64)]
    [InlineData(ScalarType.Int32)]
    [InlineData(ScalarType.Int16)]
    [InlineData(ScalarType.Int8)]
    [InlineData(ScalarType.Byte)]
    [InlineData(ScalarType.Bool)]
    public void Every_type_comes_back_bit_for_bit(ScalarType dtype)
    {
        using var folder = new TempFolder();
        using var tensor = arange(0, 60).reshape(3, 4, 5).remainder(7).sub(2).abs().to(dtype);
        using var scalar = ones([], dtype);
        using var none = empty([0, 4], dtype);
        SafetensorsWriter.Write(folder["a.safetensors"], [("odd", scalar), ("tensor", tensor.transpose(0, 2)), ("none", none)], new Dictionary<string, string> { ["k"] = "v — ü" });
        using var read = SafetensorsFile.Open(folder["a.safetensors"]);
        Assert.Equal(("safetensors", "v — ü", 3), (read.Format, read.Metadata["k"], read.Count));
        Assert.Equal(dtype, read["tensor"].DType);
        using var back = read["tensor"].Read();
        Assert.True(back.is_contiguous());
        Assert.Equal(60 * back.ElementSize, read["tensor"].ByteCount);
        Assert.True(Bits.Same(back, tensor.transpose(0, 2)));
        using var backScalar = read["odd"].Read();
        Assert.True(Bits.Same(backScalar, scalar));
        using var backNone = read["none"].Read();
        Assert.Equal([0, 4], backNone.shape);
    }

    [Fact]
    public void Writer_lays_a_file_out_as_the_reference_implementation()
    {
        using var folder = new TempFolder();
        foreach (var original in new[] { Goldens.Model("motion-v2.safetensors"), Goldens.Model("kohya-style.safetensors") })
        {
            using var weights = SafetensorsFile.Open(original);
            SafetensorsWriter.Write(folder["copy"], weights, weights.Metadata);
            Assert.Equal(File.ReadAllBytes(original), File.ReadAllBytes(folder["copy"]));
        }
    }

    [Fact]
    public void Types_can_be_chosen_per_tensor_and_wider_ones_come_first()
    {
        using var folder = new TempFolder();
        using var a = tensor(new float[] { 1.5f, 1 / 3f });
        using var b = tensor(new float[] { 2.5f });
        using var source = new StateDict("memory", new Dictionary<string, WeightTensor> { ["a"] = WeightTensor.Of(a), ["b"] = WeightTensor.Of(b) });
        SafetensorsWriter.Write(folder["x"], source, dtype: (name, tensor) => name == "a" ? ScalarType.Float16 : tensor.DType);
        using var read = SafetensorsFile.Open(folder["x"]);
        Assert.Equal(["b", "a"], read.Keys);
        using var back = read["a"].Read();
        Assert.True(Bits.Same(back, a.to(ScalarType.Float16)));
    }

    [Fact]
    public void Older_files_without_padding_are_read()
    {
        using var folder = new TempFolder();
        using var read = SafetensorsFile.Open(folder.Write("x", MutatedFiles.Safetensors("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"F32","shape":[2],"data_offsets":[3,11]}}""", [9, 8, 7, .. PickleWriter.Floats(1, 2)])));
        using var b = read["b"].Read();
        Assert.Equal([1f, 2f], b.data<float>().ToArray());
    }

    [Fact]
    public void A_file_that_cannot_be_finished_is_not_there()
    {
        using var folder = new TempFolder();
        folder.Write("x", "before");
        var broken = new Dictionary<string, WeightTensor> { ["a"] = new(ScalarType.Float32, [2], () => throw new FileException("source", "The source is cut short.")) };
        Assert.Throws<FileException>(() => SafetensorsWriter.Write(folder["x"], broken));
        Assert.Equal("before", File.ReadAllText(folder["x"]));
        Assert.Single(Directory.GetFiles(folder.Path));
        Assert.Throws<FileException>(() => SafetensorsWriter.Write(folder["missing/x"], broken));
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(folder["x"], broken.Concat(broken)));
    }

    [Fact]
    public void A_file_can_be_converted_onto_itself()
    {
        using var folder = new TempFolder();
        using var a = rand(1000);
        SafetensorsWriter.Write(folder["x"], [("a", a)]);
        using (var read = SafetensorsFile.Open(folder["x"]))
            SafetensorsWriter.Write(folder["x"], read, dtype: (_, _) => ScalarType.BFloat16);
        using var back = SafetensorsFile.Open(folder["x"]);
        using var half = back["a"].Read();
        Assert.True(Bits.Same(half, a.to(ScalarType.BFloat16)));
    }

    [Fact]
    public void A_file_cut_short_after_it_was_opened_is_told_from_a_whole_one()
    {
        using var folder = new TempFolder();
        using var a = rand(1000);
        SafetensorsWriter.Write(folder["x"], [("a", a)]);
        using var read = SafetensorsFile.Open(folder["x"]);
        using (var file = File.Open(folder["x"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(file.Length - 1);
        Assert.Contains("ends within data", Assert.Throws<FileException>(() => read["a"].Read()).Message);
    }

    [Fact]
    public void Large_tensors_are_read_in_pieces_into_their_own_memory_only()
    {
        using var folder = new TempFolder();
        using var large = arange(5_000_001, ScalarType.Int64);
        SafetensorsWriter.Write(folder["x"], [("a", large)]);
        using var read = SafetensorsFile.Open(folder["x"]);
        var before = GC.GetAllocatedBytesForCurrentThread();
        using var a = read["a"].Read();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
        Assert.True(Bits.Same(large, a));
    }

    [Fact]
    public void Tensors_without_elements_may_have_any_other_sizes_or_are_refused()
    {
        using var folder = new TempFolder();
        using var read = SafetensorsFile.Open(folder.Write("x", MutatedFiles.Safetensors("""{"a":{"dtype":"F64","shape":[0,4611686018427387904],"data_offsets":[0,0]}}""", [])));
        var error = Record.Exception(() => read["a"].Read().Dispose());
        Assert.True(error is null or FileException, error?.ToString());
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "'a' twice")]
    [InlineData("""{"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}""", "F8_E4M3")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", "not what F32 of shape [3] takes")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", "shape [-2]")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "take 4 bytes of data and the file has 8")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "begins at byte 4")]
    [InlineData("""{"__metadata__":{"a":1},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "__metadata__.a")]
    public void Damage_is_named(string header, string expected)
    {
        using var folder = new TempFolder();
        var error = Assert.Throws<FileException>(() => SafetensorsFile.Open(folder.Write("x", MutatedFiles.Safetensors(header, new byte[8]))));
        Assert.Contains(expected, error.Message);
        Assert.Equal(folder["x"], error.Path);
    }

    [Fact]
    public void Missing_files_and_folders_are_told_apart()
    {
        using var folder = new TempFolder();
        Assert.Contains("does not exist", Assert.Throws<FileException>(() => SafetensorsFile.Open(folder["nothing"])).Message);
        Assert.Contains("is a folder", Assert.Throws<FileException>(() => SafetensorsFile.Open(folder.Path)).Message);
        Assert.Contains("is empty", Assert.Throws<FileException>(() => SafetensorsFile.Open(folder.Write("e", ""))).Message);
    }
}
