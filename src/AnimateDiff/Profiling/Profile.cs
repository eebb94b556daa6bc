using System.Diagnostics;
using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using AnimateDiff.Vae;
using TorchSharp.Modules;

namespace AnimateDiff.Profiling;

/// <summary>
/// Where the time of a model's calls goes. From its making until it is disposed of it hooks into the layers; without one a model computes as if there were no such thing.
/// Only for the CPU, where a layer has computed when its call returns; make it and let go of it while the models do nothing.
/// </summary>
internal sealed class Profile : IDisposable
{
    private readonly List<Action> _remove = [];
    private readonly Stack<Open> _open = [];
    private Dictionary<Kind, Work>? _now;

    /// <summary>Work of the UNet's calls.</summary>
    public Dictionary<Kind, Work> Denoising { get; } = [];

    /// <summary>Work of the VAE's decoding.</summary>
    public Dictionary<Kind, Work> Decoding { get; } = [];

    /// <param name="unet">Its calls are <see cref="Denoising"/>.</param>
    /// <param name="vae">Its decoder's calls are <see cref="Decoding"/>.</param>
    public Profile(UNetMotionModel unet, AutoencoderKL vae)
    {
        unet.Profile = vae.Profile = this;
        _remove.Add(() => unet.Profile = vae.Profile = null);
        foreach (var layer in unet.modules().Concat(vae.modules()))
            Watch(layer);
    }

    /// <summary>One call of a whole model, until what is returned is disposed of. Layers that are called outside of such calls do not count.</summary>
    public IDisposable Call(Dictionary<Kind, Work> stage)
    {
        _now = stage;
        Enter();
        return new Ending(this);
    }

    public void Dispose() => _remove.ForEach(remove => remove());

    private void Watch(nn.Module layer)
    {
        switch (layer)
        {
            case Conv2d convolution:
                Watch(convolution, Kind.Convolution, (_, y) => 2.0 * y.numel() * convolution.weight.numel() / convolution.weight.shape[0]);
                break;
            case Layers.Linear linear:
                Watch(linear, Kind.Linear, (_, y) => 2.0 * y.numel() * linear.weight.shape[1]);
                break;
            case GroupNorm norm:
                Watch(norm, Kind.Norm, (_, _) => 0);
                break;
            case LayerNorm norm:
                Watch(norm, Kind.Norm, (_, _) => 0);
                break;
            case VaeAttention attention:
                Watch(attention, Kind.SpatialAttention, (x, _) => Products(x.numel(), x.shape[2] * x.shape[3]));
                break;
            case TemporalConvolutionBlock block:
                Watch(block, Kind.TemporalAttention, (x, _) => 2 * 2.0 * x.numel() * x.shape[^1] * TemporalConvolutionBlock.Taps);
                break;
            case Attention attention:
                _remove.Add(attention.register_forward_pre_hook((_, tokens, context) => { Enter(); return (tokens, context); }).remove);
                _remove.Add(attention.register_forward_hook((_, tokens, context, made) =>
                {
                    var seen = attention.IsIdentity ? 0 : context is not { } other ? tokens.shape[1] : other.Beside.Select(beside => beside.Context).Append(other).Sum(one => one.Key.shape[2]);
                    Leave(context is not null ? Kind.TextAttention : tokens.dim() == 4 ? Kind.TemporalAttention : Kind.SpatialAttention, Products(tokens.numel(), seen));
                    return made;
                }).remove);
                break;
        }
    }

    private void Watch(nn.Module<Tensor, Tensor> layer, Kind kind, Func<Tensor, Tensor, double> flop)
    {
        _remove.Add(layer.register_forward_pre_hook((_, x) => { Enter(); return x; }).remove);
        _remove.Add(layer.register_forward_hook((_, x, y) => { Leave(kind, flop(x, y)); return y; }).remove);
    }

    // Queries with keys, and weights with values: 2 operations each for every number of the queries and every token seen.
    private static double Products(long queries, long seen) => 4.0 * queries * seen;

    private void Enter()
    {
        if (_now is not null)
            _open.Push(new Open { Begun = Stopwatch.GetTimestamp() });
    }

    private void Leave(Kind kind, double flop)
    {
        if (_now is null)
            return;
        var layer = _open.Pop();
        var took = Stopwatch.GetElapsedTime(layer.Begun).TotalSeconds;
        _now[kind] = _now.GetValueOrDefault(kind) + new Work(1, took - layer.Inside, flop);
        if (_open.TryPeek(out var outer))
            outer.Inside += took;
    }

    /// <summary>A layer that is being called.</summary>
    private sealed class Open
    {
        public required long Begun { get; init; }

        /// <summary>Seconds of the layers inside.</summary>
        public double Inside { get; set; }
    }

    private sealed class Ending(Profile profile) : IDisposable
    {
        public void Dispose()
        {
            while (profile._open.Count > 1)                                                                  // after an error
                profile._open.Pop();
            profile.Leave(Kind.Rest, flop: 0);
            profile._now = null;
        }
    }
}
