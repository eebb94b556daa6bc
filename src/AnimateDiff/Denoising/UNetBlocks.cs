using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Denoising;

/// <summary>One level on the way down: resnets, each followed by attention and motion where the level has them, then half the size.</summary>
internal sealed class DownBlock : nn.Module<Tensor, BlockContext, Stack<Tensor>, Tensor>
{
    private readonly ModuleList<ResnetBlock2D> resnets;
    private readonly ModuleList<SpatialTransformer>? attentions;
    private readonly ModuleList<MotionModule>? motion_modules;
    private readonly ModuleList<Downsample2D>? downsamplers;

    public DownBlock(long inChannels, long outChannels, bool attention, bool downsample, UNetConfig config, MotionConfig? motion, Device? device)
        : base(nameof(DownBlock))
    {
        var layers = Enumerable.Range(0, config.LayersPerBlock).ToArray();
        ResnetBlock2D Resnet(long channels) => new(channels, outChannels, config.TimeChannels, config.NormNumGroups, config.NormEps, device);
        resnets = new([.. layers.Select(i => Resnet(i == 0 ? inChannels : outChannels))]);
        if (attention)
            attentions = new([.. layers.Select(_ => new SpatialTransformer(outChannels, config, device))]);
        if (motion is not null)
            motion_modules = new([.. layers.Select(_ => new MotionModule(outChannels, motion, device))]);
        if (downsample)
            downsamplers = new(new Downsample2D(outChannels, device: device));
        RegisterComponents();
    }

    /// <param name="images">[B·F, C, H, W]</param>
    /// <param name="context">What the blocks share.</param>
    /// <param name="skips">Gets the outputs that the way up takes up again; layers that make more than are wanted are left out.</param>
    public override Tensor forward(Tensor images, BlockContext context, Stack<Tensor> skips)
    {
        using var scope = NewDisposeScope();
        var hidden = images.alias();
        for (var i = 0; i < resnets.Count && skips.Count < context.Skips; i++)
        {
            hidden = hidden.Then(x => context.Run(resnets[i], x));
            if (attentions is not null)
                hidden = hidden.Then(x => context.Run(attentions[i], x));
            if (motion_modules is not null)
                hidden = hidden.Then(x => context.Run(motion_modules[i], x));
            skips.Push(hidden.alias().MoveToOuterDisposeScope());
        }
        if (downsamplers is not null && skips.Count < context.Skips)
        {
            hidden = hidden.Then(downsamplers[0].call);
            skips.Push(hidden.alias().MoveToOuterDisposeScope());
        }
        return hidden.MoveToOuterDisposeScope();
    }
}

/// <summary>The innermost level: a resnet, attention, motion (v2), a resnet.</summary>
internal sealed class MidBlock : nn.Module<Tensor, BlockContext, Tensor>
{
    private readonly ModuleList<ResnetBlock2D> resnets;
    private readonly ModuleList<SpatialTransformer> attentions;
    private readonly ModuleList<MotionModule>? motion_modules;

    public MidBlock(long channels, UNetConfig config, MotionConfig? motion, Device? device) : base(nameof(MidBlock))
    {
        ResnetBlock2D Resnet() => new(channels, channels, config.TimeChannels, config.NormNumGroups, config.NormEps, device);
        resnets = new(Resnet(), Resnet());
        attentions = new(new SpatialTransformer(channels, config, device));
        if (motion is { UseMotionMidBlock: true })
            motion_modules = new(new MotionModule(channels, motion, device));
        RegisterComponents();
    }

    /// <param name="images">[B·F, C, H, W]</param>
    /// <param name="context">What the blocks share.</param>
    public override Tensor forward(Tensor images, BlockContext context)
    {
        using var scope = NewDisposeScope();
        var hidden = context.Run(resnets[0], images).Then(x => context.Run(attentions[0], x));
        if (motion_modules is not null)
            hidden = hidden.Then(x => context.Run(motion_modules[0], x));
        return hidden.Then(x => context.Run(resnets[1], x)).MoveToOuterDisposeScope();
    }
}

/// <summary>One level on the way up: each resnet also gets an output of the way down; then twice the size.</summary>
internal sealed class UpBlock : nn.Module<Tensor, BlockContext, Stack<Tensor>, Tensor>
{
    private readonly ModuleList<ResnetBlock2D> resnets;
    private readonly ModuleList<SpatialTransformer>? attentions;
    private readonly ModuleList<MotionModule>? motion_modules;
    private readonly ModuleList<Upsample2D>? upsamplers;

    /// <summary>How a skip joins, where FreeU is on.</summary>
    public SkipFilter? SkipFilter { get; set; }

    /// <param name="inChannels">Channels of what comes from below.</param>
    /// <param name="outChannels">Channels of this level.</param>
    /// <param name="lastSkip">Channels of the outermost output of the way down that this level takes up.</param>
    /// <param name="attention">Whether the level attends to the text.</param>
    /// <param name="upsample">Whether there is a level above.</param>
    /// <param name="config">The UNet.</param>
    /// <param name="motion">The motion modules, or null for none.</param>
    /// <param name="device">Where the weights are made.</param>
    public UpBlock(long inChannels, long outChannels, long lastSkip, bool attention, bool upsample, UNetConfig config, MotionConfig? motion, Device? device)
        : base(nameof(UpBlock))
    {
        var layers = Enumerable.Range(0, config.LayersPerBlock + 1).ToArray();
        ResnetBlock2D Resnet(long channels) => new(channels, outChannels, config.TimeChannels, config.NormNumGroups, config.NormEps, device);
        resnets = new([.. layers.Select(i => Resnet((i == 0 ? inChannels : outChannels) + (i == config.LayersPerBlock ? lastSkip : outChannels)))]);
        if (attention)
            attentions = new([.. layers.Select(_ => new SpatialTransformer(outChannels, config, device))]);
        if (motion is not null)
            motion_modules = new([.. layers.Select(_ => new MotionModule(outChannels, motion, device))]);
        if (upsample)
            upsamplers = new(new Upsample2D(outChannels, device));
        RegisterComponents();
    }

    /// <param name="images">[B·F, C, H, W]</param>
    /// <param name="context">What the blocks share.</param>
    /// <param name="skips">Outputs of the way down; those used are popped and disposed. Where there are too few for all layers, the first layers are left out.</param>
    public override Tensor forward(Tensor images, BlockContext context, Stack<Tensor> skips)
    {
        using var scope = NewDisposeScope();
        var hidden = images.alias();
        for (var i = (resnets.Count - skips.Count % resnets.Count) % resnets.Count; i < resnets.Count; i++)
        {
            context.Deep?.Keep(hidden, skips.Count);
            using (var skip = skips.Pop())
                hidden = context.Run(resnets[i], hidden, skip, (below, across) => SkipFilter?.Join(below, across) ?? cat([below, across], 1));
            if (attentions is not null)
                hidden = hidden.Then(x => context.Run(attentions[i], x));
            if (motion_modules is not null)
                hidden = hidden.Then(x => context.Run(motion_modules[i], x));
        }
        if (upsamplers is not null)
        {
            var above = skips.Peek().shape;                                                                 // an odd size was rounded up on the way down
            hidden = hidden.Then(x => context.Run(upsamplers[0], x, (above[2], above[3])));
        }
        return hidden.MoveToOuterDisposeScope();
    }
}
