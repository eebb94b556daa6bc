using TorchSharp.Modules;

namespace AnimateDiff.Layers;

/// <summary>Two normalised convolutions beside a shortcut; the first is shifted by the time embedding where there is one.</summary>
internal sealed class ResnetBlock2D : nn.Module<Tensor, Tensor?, long, Tensor>
{
    private readonly GroupNorm norm1;
    private readonly Conv2d conv1;
    private readonly Linear? time_emb_proj;
    private readonly GroupNorm norm2;
    private readonly Conv2d conv2;
    private readonly Conv2d? conv_shortcut;

    public ResnetBlock2D(long inChannels, long outChannels, long? timeChannels, long groups, double eps, Device? device = null)
        : base(nameof(ResnetBlock2D))
    {
        norm1 = Norms.GroupNorm(groups, inChannels, eps, device);
        conv1 = new Conv2d(inChannels, outChannels, 3, padding: 1, device: device);
        if (timeChannels is { } channels)
            time_emb_proj = new Linear(channels, outChannels, device: device);
        norm2 = Norms.GroupNorm(groups, outChannels, eps, device);
        conv2 = new Conv2d(outChannels, outChannels, 3, padding: 1, device: device);
        if (inChannels != outChannels)
            conv_shortcut = new Conv2d(inChannels, outChannels, 1, device: device);
        RegisterComponents();
    }

    /// <param name="images">[N, C, H, W]</param>
    /// <param name="time">SiLU of the time embedding, [B, T] for N = B·F; null in the VAE.</param>
    /// <param name="sets">How many sets of images are normalised apart from each other (<see cref="Norms.Over"/>).</param>
    public override Tensor forward(Tensor images, Tensor? time, long sets)
    {
        using var scope = NewDisposeScope();
        var hidden = norm1.Over(images, sets).Silu().Then(conv1.call);
        if (time_emb_proj is not null)
        {
            var shift = time_emb_proj.call(time!).repeat_interleave(images.shape[0] / time!.shape[0], dim: 0);
            hidden = hidden.Plus(shift.unsqueeze(-1).unsqueeze(-1));                                        // [B·F, C, 1, 1]
        }
        hidden = hidden.Then(x => norm2.Over(x, sets)).Silu().Then(conv2.call);
        var shortcut = conv_shortcut is null ? images : conv_shortcut.call(images);
        return hidden.Plus(shortcut).MoveToOuterDisposeScope();
    }
}
