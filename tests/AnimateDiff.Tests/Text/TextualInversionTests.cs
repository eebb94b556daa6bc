using AnimateDiff.Text;
using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Text;

public class TextualInversionTests
{
    private const int Width = 4;

    [Theory]
    [InlineData("string_to_param.*", "my-style", null, "my-style")]   // A1111's .pt
    [InlineData("string_to_param.*", null, null, "bad-hands")]        // without a name: the file's
    [InlineData("emb_params", null, null, "bad-hands")]               // A1111's .safetensors
    [InlineData("<cat-toy>", null, null, "<cat-toy>")]                // diffusers
    [InlineData("<cat-toy>", null, "<toy>", "<toy>")]                 // the user's own token
    public void Token_is_the_given_one_or_the_files(string key, string? name, string? given, string expected)
    {
        using var inversion = TextualInversion.Read(File([key], [3, Width], name), Width, given);
        Assert.Equal(expected, inversion.Token);
        Assert.Equal([3, Width], inversion.Vectors.shape);
        Assert.Equal(12, inversion.Vectors.sum().item<float>());
    }

    [Fact]
    public void Single_vector_may_be_flat_and_in_half_precision()
    {
        using var inversion = TextualInversion.Read(File(["<cat-toy>"], [Width], dtype: ScalarType.Float16), Width);
        Assert.Equal([1, Width], inversion.Vectors.shape);
        Assert.Equal(ScalarType.Float32, inversion.Vectors.dtype);
    }

    [Fact]
    public void Vectors_outlive_the_scope_they_were_read_in()
    {
        TextualInversion inversion;
        using (NewDisposeScope())
            inversion = TextualInversion.Read(File(["<cat-toy>"], [Width]), Width);
        Assert.False(inversion.Vectors.IsInvalid);
        inversion.Dispose();
    }

    [Theory]
    [InlineData(new[] { "<x>" }, new long[] { 1, 8 }, "belongs to another base model: its vectors have 8 numbers, this text encoder's 4")]
    [InlineData(new[] { "<x>" }, new long[] { 1, 1, 4 }, "found a tensor of shape [1, 1, 4], expected [4] or [vectors, 4]")]
    [InlineData(new[] { "<x>" }, new long[] { 0, 4 }, "found a tensor of shape [0, 4]")]
    [InlineData(new[] { "clip_l", "clip_g" }, new long[] { 1, 4 }, "for Stable Diffusion XL")]
    [InlineData(new[] { "conv_in.weight", "conv_in.bias" }, new long[] { 1, 4 }, "holds no textual inversion: found 2 tensors (conv_in.weight, conv_in.bias")]
    public void Files_that_do_not_fit_are_refused_with_the_reason(string[] names, long[] shape, string reason)
    {
        var error = Assert.Throws<FileException>(() => TextualInversion.Read(File(names, shape), Width));
        Assert.StartsWith("embeddings/bad-hands.pt", error.Message);
        Assert.Contains(reason, error.Message);
    }

    private static StateDict File(string[] names, long[] shape, string? name = null, ScalarType dtype = ScalarType.Float32) => new(
        "embeddings/bad-hands.pt",
        names.ToDictionary(key => key, _ => new WeightTensor(dtype, shape, () => ones(shape, dtype))),
        name is null ? null : new Dictionary<string, string> { ["name"] = name });
}
