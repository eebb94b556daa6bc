using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Control;

/// <summary>Pictures to features of the size of latents (Zhang et al. 2023, arXiv 2302.05543, §3.2): a few convolutions, every second one of which halves the size.</summary>
internal sealed class ConditionEmbedding : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d conv_in;
    private readonly ModuleList<Conv2d> blocks;
    private readonly Conv2d conv_out;

    /// <param name="inChannels">Channels of the pictures, and of what goes with them.</param>
    /// <param name="channels">Channels of each size, outermost first.</param>
    /// <param name="outChannels">Channels of the features.</param>
    /// <param name="device">Where the weights are made.</param>
    public ConditionEmbedding(long inChannels, IReadOnlyList<int> channels, long outChannels, Device? device) : base(nameof(ConditionEmbedding))
    {
        Conv2d Conv(long from, long to, long stride = 1) => new Conv2d(from, to, 3, stride: stride, padding: 1, device: device);
        conv_in = Conv(inChannels, channels[0]);
        blocks = new([.. channels.Zip(channels.Skip(1)).SelectMany(pair => new[] { Conv(pair.First, pair.First), Conv(pair.First, pair.Second, stride: 2) })]);
        conv_out = Conv(channels[^1], outChannels);
        RegisterComponents();
    }

    /// <param name="pictures">[N, C, H, W]</param>
    /// <returns>[N, C, H/8, W/8]</returns>
    public override Tensor forward(Tensor pictures)
    {
        using var scope = NewDisposeScope();
        var hidden = conv_in.call(pictures).Silu();
        foreach (var block in blocks)
            hidden = hidden.Then(block.call).Silu();
        return hidden.Then(conv_out.call).MoveToOuterDisposeScope();
    }
}
