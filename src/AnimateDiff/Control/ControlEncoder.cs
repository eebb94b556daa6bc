using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Control;

/// <summary>What ControlNet and SparseCtrl have in common: the way down of a UNet, each of whose outputs leaves by a 1×1 convolution that training starts at zero.</summary>
internal abstract class ControlEncoder : nn.Module
{
    private protected readonly Conv2d conv_in;
    private protected readonly TimestepEmbedding time_embedding;
    private protected readonly nn.Module<Tensor, Tensor> controlnet_cond_embedding;
    private protected readonly ModuleList<DownBlock> down_blocks;
    private protected readonly MidBlock mid_block;
    private protected readonly ModuleList<Conv2d> controlnet_down_blocks;
    private protected readonly Conv2d controlnet_mid_block;
    private readonly Attention[] _crossAttentions;

    /// <summary>Its shape.</summary>
    public ControlConfig Config { get; }

    /// <summary>Whether, with gradients on, the layers keep only their inputs and run again in the backward pass, as <see cref="UNetMotionModel.Recomputes"/>.</summary>
    public bool Recomputes { get; set; }

    /// <summary>As <see cref="UNetMotionModel.PieceSize"/>.</summary>
    public long? PieceSize { get; set; }

    /// <summary>As <see cref="UNetMotionModel.FrameAttention"/>.</summary>
    public FrameAttention FrameAttention { get; set; }

    private protected ControlEncoder(string name, ControlConfig config, nn.Module<Tensor, Tensor> embedding, MotionConfig? motion, Device? device) : base(name)
    {
        Config = config;
        var unet = config.UNet;
        var channels = unet.BlockOutChannels;
        var last = channels.Count - 1;
        Conv2d Out(long width) => new Conv2d(width, width, 1, device: device);
        int[] levels = [.. Enumerable.Range(0, channels.Count)];
        conv_in = new Conv2d(unet.InChannels, channels[0], 3, padding: 1, device: device);
        time_embedding = new(unet, device);
        controlnet_cond_embedding = embedding;
        down_blocks = new([.. levels.Select(i => new DownBlock(
            channels[Math.Max(0, i - 1)], channels[i], unet.DownBlockTypes[i].StartsWith("CrossAttn", StringComparison.Ordinal), i < last, unet, motion, device))]);
        mid_block = new(channels[last], unet, motion, device);
        controlnet_down_blocks = new([Out(channels[0]), .. levels.SelectMany(i => Enumerable.Repeat(channels[i], unet.LayersPerBlock + (i < last ? 1 : 0))).Select(width => Out(width))]);
        controlnet_mid_block = Out(channels[last]);
        RegisterComponents();
        _crossAttentions = [.. modules().OfType<SpatialTransformerBlock>().Select(block => block.CrossAttention)];
    }

    /// <summary>Keys and values of the text for all layers, in the caller's dispose scope.</summary>
    /// <param name="embeddings">[B, L, D], one row per clip, or [B·F, L, D], one row per frame.</param>
    public TextContext Prepare(Tensor embeddings)
    {
        using var input = embeddings.to(conv_in.bias!.dtype, conv_in.weight.device);
        return new TextContext(embeddings.shape[0], _crossAttentions.ToDictionary(layer => layer, layer => layer.Project(input)));
    }

    /// <summary>The condition's features, which no step changes: [F, C, h, w] of [F, C', H, W], in the type of the weights.</summary>
    private protected Tensor EmbedImages(Tensor condition)
    {
        using var scope = NewDisposeScope();
        return ChannelsLast(condition).Then(controlnet_cond_embedding.call).MoveToOuterDisposeScope();
    }

    /// <summary>[N, C, H, W] with the channels last in memory, in the type of the weights.</summary>
    private protected Tensor ChannelsLast(Tensor images)
    {
        using var scope = NewDisposeScope();
        return images.to(conv_in.bias!.dtype, conv_in.weight.device).permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2).MoveToOuterDisposeScope();
    }

    /// <param name="hidden">What the blocks begin with, [B·F, C, h, w]; let go of.</param>
    /// <param name="timestep">[B], or [1] for all clips.</param>
    /// <param name="text">From <see cref="Prepare"/>, for B or B·F rows.</param>
    /// <param name="clips">B</param>
    /// <param name="motionSets">Sets of images that the motion modules normalise apart.</param>
    /// <param name="scale">Strength.</param>
    private protected ControlResiduals Encode(Tensor hidden, Tensor timestep, TextContext text, long clips, long motionSets, double scale)
    {
        using var scope = NewDisposeScope();
        var images = hidden.shape[0];

        // 1. time
        var time = time_embedding.call(timestep.expand(clips)).Silu();                                       // [B, T]
        var context = new BlockContext(time, text, clips, images, motionSets, FrameAttention, Recomputes && is_grad_enabled() ? new Recompute() : null,
            PieceSize is { } size && !is_grad_enabled() ? new Pieces(size, null) : null);

        // 2. down
        var outputs = new Stack<Tensor>();
        outputs.Push(hidden.alias());                                                                        // [B·F, C, h, w]
        foreach (var block in down_blocks)
            hidden = hidden.Then(x => block.call(x, context, outputs));

        // 3. mid
        hidden = hidden.Then(x => mid_block.call(x, context));                                               // [B·F, C, h/8, w/8]

        // 4. out
        Tensor[] down = [.. outputs.Reverse().Zip(controlnet_down_blocks, (output, layer) => output.Then(layer.call).Then(x => x.Times(scale)))];
        return new ControlResiduals(down, hidden.Then(controlnet_mid_block.call).Then(x => x.Times(scale))).MoveToOuterDisposeScope();
    }
}
