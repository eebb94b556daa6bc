using TorchSharp.Modules;

namespace AnimateDiff.Layers;

/// <summary>The gated feed-forward layer of every transformer block: C → 2·4C → 4C → C.</summary>
internal sealed class FeedForward : nn.Module<Tensor, Tensor>
{
    // Above this many tokens the eightfold wide middle is made piece by piece: it would be the largest tensor of the model.
    private const long Rows = 4096;

    private readonly ModuleList<nn.Module<Tensor, Tensor>> net;

    /// <summary>Told which rows a piece is, where layers compute differently from frame to frame; null otherwise.</summary>
    public FramesInView? InView { get; set; }

    public FeedForward(long channels, Device? device = null) : base(nameof(FeedForward))
    {
        net = new(new GEGLU(channels, 4 * channels, device), nn.Identity(), new Linear(4 * channels, channels, device: device));
        RegisterComponents();
    }

    /// <param name="tokens">[…, C]</param>
    public override Tensor forward(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        var rows = tokens.flatten(0, -2);                                                                    // [T, C]
        if (is_grad_enabled() || rows.shape[0] <= Rows)
            return net[0].call(rows).Then(net[2].call).view(tokens.shape).MoveToOuterDisposeScope();

        var result = empty_like(rows);
        for (var row = 0L; row < rows.shape[0]; row += Rows)
        {
            using var piece = NewDisposeScope();
            var count = Math.Min(Rows, rows.shape[0] - row);
            InView?.Narrow(row, rows.shape[0]);
            result.narrow(0, row, count).copy_(net[0].call(rows.narrow(0, row, count)).Then(net[2].call));
        }
        InView?.Widen();
        return result.view(tokens.shape).MoveToOuterDisposeScope();
    }
}

/// <summary>GEGLU (Shazeer 2020, arXiv 2002.05202): one half of a projection times the GELU of the other half.</summary>
internal sealed class GEGLU : nn.Module<Tensor, Tensor>
{
    private readonly Linear proj;

    public GEGLU(long channels, long inner, Device? device = null) : base(nameof(GEGLU))
    {
        proj = new Linear(channels, 2 * inner, device: device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        var halves = proj.call(tokens).chunk(2, dim: -1);
        var gated = is_grad_enabled() ? halves[0] * halves[1].gelu() : halves[0].mul_(halves[1].gelu_());
        return gated.MoveToOuterDisposeScope();
    }
}
