using AnimateDiff.Hub;

namespace AnimateDiff.Tests.Hub;

public sealed class FileSelectionTests
{
    private static readonly string[] Base =
    [
        ".gitattributes", "README.md", "model_index.json", "v1-inference.yaml", "v1-5-pruned.ckpt", "v1-5-pruned-emaonly.safetensors",
        "feature_extractor/preprocessor_config.json", "safety_checker/config.json", "safety_checker/model.safetensors", "safety_checker/pytorch_model.bin",
        "scheduler/scheduler_config.json", "text_encoder/config.json", "text_encoder/model.safetensors", "text_encoder/model.fp16.safetensors",
        "text_encoder/pytorch_model.bin", "text_encoder/flax_model.msgpack", "text_encoder/model.onnx", "text_encoder/openvino_model.bin",
        "tokenizer/merges.txt", "tokenizer/special_tokens_map.json", "tokenizer/tokenizer_config.json", "tokenizer/vocab.json",
        "unet/config.json", "unet/diffusion_pytorch_model.bin", "unet/diffusion_pytorch_model.fp16.bin", "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.bin", "unet/diffusion_pytorch_model.non_ema.safetensors", "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json", "vae/diffusion_pytorch_model.bin", "vae/diffusion_pytorch_model.safetensors",
    ];

    private static readonly string[] BaseTexts =
    [
        "model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json", "tokenizer/merges.txt", "tokenizer/special_tokens_map.json",
        "tokenizer/tokenizer_config.json", "tokenizer/vocab.json", "unet/config.json", "vae/config.json",
    ];

    [Fact]
    public void A_base_model_needs_configurations_and_one_set_of_weights_for_each_part() => Selected(Base, null,
        [.. BaseTexts, "text_encoder/model.safetensors", "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"]);

    [Fact]
    public void A_variant_is_taken_where_a_part_has_it() => Selected(Base, "fp16",
        [.. BaseTexts, "text_encoder/model.fp16.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors", "vae/diffusion_pytorch_model.safetensors"]);

    [Fact]
    public void Pickles_are_taken_where_there_is_nothing_else() => Selected([.. Base.Where(name => !name.EndsWith("safetensors"))], null,
        [.. BaseTexts, "text_encoder/pytorch_model.bin", "unet/diffusion_pytorch_model.bin", "vae/diffusion_pytorch_model.bin"]);

    [Fact]
    public void Shards_come_all_together_with_their_index() => Selected(
        ["config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
         "model.safetensors.index.fp16.json", "model.fp16-00001-of-00001.safetensors", "pytorch_model.bin", "pytorch_model.bin.index.json"], null,
        ["config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]);

    [Fact]
    public void Shards_of_a_variant_come_with_the_variants_index() => Selected(
        ["config.json", "model.safetensors.index.json", "model-00001-of-00001.safetensors", "model.safetensors.index.fp16.json", "model.fp16-00001-of-00001.safetensors"], "fp16",
        ["config.json", "model.safetensors.index.fp16.json", "model.fp16-00001-of-00001.safetensors"]);

    [Fact]
    public void Shards_with_a_gap_are_passed_over() => Selected(
        ["config.json", "model-00001-of-00002.safetensors", "pytorch_model.bin"], null, ["config.json", "pytorch_model.bin"]);

    [Fact]
    public void Other_repositories_come_with_all_weights_but_no_pickle_of_a_safetensors_file() => Selected(
        ["README.md", "mm_sd_v15.ckpt", "v3_sd15_mm.ckpt", "v3_sd15_mm.safetensors", "sub/lora.pt", "a.gif", "params.yaml", "x.onnx"], null,
        ["mm_sd_v15.ckpt", "v3_sd15_mm.safetensors", "sub/lora.pt", "params.yaml"]);

    [Theory]
    [InlineData("unet/diffusion_pytorch_model.safetensors")]
    [InlineData("vae/config.json")]
    [InlineData("text_encoder/model.safetensors")]
    [InlineData("tokenizer/")]
    public void A_base_model_is_complete_only_with_all_its_parts(string without)
    {
        var pulled = FileSelection.Select(Base, null);
        Assert.True(FileSelection.IsComplete([.. pulled]));
        Assert.False(FileSelection.IsComplete([.. pulled.Where(name => !name.StartsWith(without))]));
    }

    private static void Selected(string[] names, string? variant, string[] expected) =>
        Assert.Equal(expected.Order(StringComparer.Ordinal), FileSelection.Select(names, variant).Order(StringComparer.Ordinal));
}
