using AnimateDiff.Denoising;
using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Lora;

/// <summary>
/// Adapters whose strength changes from frame to frame. A weight is one for all frames, so they are not added to weights, but computed beside the layers:
/// <c>y + s(frame) · alpha/rank · Up(Down(x))</c>.
/// </summary>
/// <param name="unet">Whose layers they change.</param>
internal sealed class FrameLoras(UNetMotionModel unet) : IDisposable
{
    private readonly Dictionary<string, nn.Module> _layers = unet.named_modules().ToDictionary(part => $"unet.{part.name}", part => part.module);
    private readonly List<IDisposable> _matrices = [];
    private readonly List<Action> _hooks = [];

    /// <summary>Layers that were left out, as <see cref="LoraStack.Skipped"/>.</summary>
    public IReadOnlyList<string> Skipped { get; private set; } = [];

    /// <summary>Whether there are any.</summary>
    public bool Any => _hooks.Count > 0;

    /// <summary>Makes these the adapters beside the UNet's layers, and takes out all others.</summary>
    /// <param name="adapters">Layers of the UNet, and their strength over frames.</param>
    /// <exception cref="RequestException">One changes layers that are computed once for all frames.</exception>
    /// <exception cref="FileException">One does not fit or cannot be read. There are none then.</exception>
    public void Set(IReadOnlyList<(LoraWeights Weights, Curve Scale)> adapters)
    {
        Clear();
        try
        {
            var skipped = adapters.Select(adapter => LoraFit.Check(adapter.Weights, path => _layers.GetValueOrDefault(path)?.get_parameter("weight"))).ToArray();
            foreach (var ((weights, scale), without) in adapters.Zip(skipped))
                foreach (var path in weights.Layers.Keys.Except(without))
                    Add(path, weights, scale);
            Skipped = [.. skipped.SelectMany(paths => paths)];
        }
        catch
        {
            Clear();
            throw;
        }
        foreach (var layer in unet.modules().OfType<FeedForward>())
            layer.InView = Any ? unet.InView : null;
    }

    public void Dispose() => Clear();

    private void Add(string path, LoraWeights weights, Curve scale)
    {
        if (path.Contains("time_emb", StringComparison.Ordinal))
            throw new RequestException($"{weights.Path} changes {path}, which is computed once for all frames, so that its strength {scale} cannot change over them: give it one number, or a curve over the steps.");
        var (down, up, factor) = weights.Layers[path];
        var layer = (nn.Module<Tensor, Tensor>)_layers[path];
        var weight = layer.get_parameter("weight")!;
        Tensor Read(Weights.WeightTensor matrix, params long[] window)
        {
            using var scope = NewDisposeScope();
            var own = matrix.Read();
            var made = own.dim() == 2 + window.Length ? own : own.flatten(1).view([own.shape[0], own.numel() / own.shape[0], .. window]);
            _matrices.Add(made = made.to(unet.DType, weight.device).DetachFromDisposeScope());
            return made;
        }
        long[] window = layer is Conv2d ? [1, 1] : [];
        var (first, second) = (Read(down, window), Read(up, window));
        var hook = layer.register_forward_hook((_, input, output) =>
        {
            using var scope = NewDisposeScope();
            var low = layer is Conv2d conv
                ? nn.functional.conv2d(input, first, strides: [conv.Stride, conv.Stride], padding: [conv.Padding, conv.Padding])              // [N, r, H, W]
                : nn.functional.linear(input, first);                                                                                  // […, r]
            var rows = layer is Conv2d ? low.shape[0] : low.numel() / low.shape[^1];
            var strengths = unet.InView.Weights(scale, factor, rows, low);
            low.mul_(layer is Conv2d ? strengths.view(-1, 1, 1, 1) : strengths.view([.. low.shape[..^1], 1]));
            output.add_(layer is Conv2d ? nn.functional.conv2d(low, second) : nn.functional.linear(low, second), Scalars.One);
            return output;
        });
        _hooks.Add(hook.remove);
    }

    private void Clear()
    {
        foreach (var remove in _hooks)
            remove();
        foreach (var matrix in _matrices)
            matrix.Dispose();
        _hooks.Clear();
        _matrices.Clear();
        Skipped = [];
    }
}
