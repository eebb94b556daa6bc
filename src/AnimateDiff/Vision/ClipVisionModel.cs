using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Vision;

/// <summary>
/// CLIP's vision transformer (Radford et al., 2021) with its projection, under transformers' names: pictures to the vectors in which texts are compared
/// with them, or to the states of their patches.
/// </summary>
internal sealed class ClipVisionModel : nn.Module<Tensor, Tensor>
{
    private readonly ClipVisionTransformer vision_model;
    private readonly Linear visual_projection;

    public ClipVisionConfig Config { get; }

    /// <summary>Whether a tensor of this name belongs to it; a whole CLIP model has others too.</summary>
    public static bool Has(string name) => name.StartsWith("vision_model.", StringComparison.Ordinal) || name.StartsWith("visual_projection.", StringComparison.Ordinal);

    public ClipVisionModel(ClipVisionConfig config, Device? device = null) : base(nameof(ClipVisionModel))
    {
        Config = config;
        vision_model = new ClipVisionTransformer(config, device);
        visual_projection = new Linear(config.HiddenSize, config.ProjectionDim, hasBias: false, device);
        RegisterComponents();
    }

    /// <summary>One vector for each picture, [B, P], not normalised.</summary>
    /// <param name="pictures">From <see cref="ClipPictures"/>, [B, 3, S, S].</param>
    public override Tensor forward(Tensor pictures)
    {
        using var scope = NewDisposeScope();
        return visual_projection.call(vision_model.Pool(vision_model.call(pictures, 0))).MoveToOuterDisposeScope();
    }

    /// <summary>The states of the class token and the patches before the last layer, [B, 1+L, D].</summary>
    /// <param name="pictures">[B, 3, S, S]</param>
    public Tensor Patches(Tensor pictures) => vision_model.call(pictures, 1);
}

internal sealed class ClipVisionTransformer : nn.Module<Tensor, int, Tensor>
{
    private readonly ClipVisionEmbeddings embeddings;
    private readonly LayerNorm pre_layrnorm;                                            // spelled as in the files
    private readonly ClipEncoder encoder;
    private readonly LayerNorm post_layernorm;

    public ClipVisionTransformer(ClipVisionConfig config, Device? device) : base(nameof(ClipVisionTransformer))
    {
        embeddings = new ClipVisionEmbeddings(config, device);
        pre_layrnorm = nn.LayerNorm(config.HiddenSize, config.LayerNormEps, device: device);
        encoder = new ClipEncoder(config.NumHiddenLayers, config.LayerShape, device);
        post_layernorm = nn.LayerNorm(config.HiddenSize, config.LayerNormEps, device: device);
        RegisterComponents();
    }

    /// <param name="pictures">[B, 3, S, S]</param>
    /// <param name="skip">Layers left out at the end.</param>
    /// <returns>[B, 1+L, D]</returns>
    public override Tensor forward(Tensor pictures, int skip)
    {
        using var scope = NewDisposeScope();
        return encoder.call(pre_layrnorm.call(embeddings.call(pictures)), skip).MoveToOuterDisposeScope();
    }

    /// <summary>The class token's state, normalised, [B, D].</summary>
    public Tensor Pool(Tensor hidden) => post_layernorm.call(hidden.select(1, 0));
}

/// <summary>Patches and a class token, with their positions.</summary>
internal sealed class ClipVisionEmbeddings : nn.Module<Tensor, Tensor>, IOwnParameter
{
    private Parameter class_embedding;
    private readonly Conv2d patch_embedding;
    private readonly Embedding position_embedding;

    public ClipVisionEmbeddings(ClipVisionConfig config, Device? device) : base(nameof(ClipVisionEmbeddings))
    {
        var side = config.ImageSize / config.PatchSize;
        class_embedding = new Parameter(zeros(config.HiddenSize, device: device));
        patch_embedding = new Conv2d(3, config.HiddenSize, config.PatchSize, stride: config.PatchSize, hasBias: false, device: device);
        position_embedding = nn.Embedding(side * side + 1, config.HiddenSize, device: device);
        RegisterComponents();
    }

    public string ParameterName => nameof(class_embedding);

    public void SetParameter(Parameter value)
    {
        class_embedding.Dispose();
        class_embedding = (Parameter)value.DetachFromDisposeScope();
        ConditionallyRegisterParameter(nameof(class_embedding), class_embedding);
    }

    public override Tensor forward(Tensor pictures)                                     // [B, 3, S, S]
    {
        using var scope = NewDisposeScope();
        var patches = patch_embedding.call(pictures).flatten(2).transpose(1, 2);        // [B, D, S/p, S/p] → [B, L, D]
        var tokens = cat([class_embedding.expand(pictures.shape[0], 1, -1), patches], 1);
        return tokens.Add(position_embedding.weight!).MoveToOuterDisposeScope();         // [B, 1+L, D]
    }
}
