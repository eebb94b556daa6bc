namespace AnimateDiff.Layers;

/// <summary>
/// Activation recomputation (Chen et al. 2016, arXiv 1604.06174): a layer keeps only its inputs, and the backward pass runs it again for what lies between.
/// Of a network's activations, only the layers' inputs and those within one layer are then in memory at once, for about one forward pass more.
/// One of these serves one forward pass. Its backward pass can be run once: it lets go of each layer's inputs as soon as their gradients are known.
/// </summary>
internal sealed class Recompute
{
    private List<Tensor?> _handedOver = [];

    /// <summary>
    /// <paramref name="layer"/> of <paramref name="inputs"/>. Both forward passes run with gradients on and with inputs that want the same ones, so that
    /// they choose the same kernels: gradients are those of <see cref="Plain"/>, bit for bit. Parameters that the layer comes upon, registered or not, get theirs.
    /// </summary>
    /// <param name="layer">Deterministic; every tensor that wants a gradient or does not live until the backward pass must come from its argument, except parameters.</param>
    /// <param name="inputs">What the layer gets.</param>
    public Tensor Run(Func<IReadOnlyList<Tensor>, Tensor> layer, params Tensor[] inputs)
    {
        using var scope = NewDisposeScope();
        Tensor[] leaves = [.. inputs.Select(input => input.detach().requires_grad_(input.requires_grad))];
        var made = layer(leaves);
        if (!made.requires_grad)
            return made.MoveToOuterDisposeScope();                                                          // nothing learns up to here, so nothing was kept
        // The anchor wants a gradient where no input does: in the first layer that learns.
        var anchor = zeros(1, requires_grad: true);
        return Step.apply([new Kept(this, layer, made.detach(), leaves), anchor, .. inputs]).MoveToOuterDisposeScope();
    }

    /// <summary>The same without recomputation. Where an input is used several times, its gradients are added up before those from elsewhere join, as in <see cref="Run"/>.</summary>
    public static Tensor Plain(Func<IReadOnlyList<Tensor>, Tensor> layer, params Tensor[] inputs)
    {
        if (!is_grad_enabled())
            return layer(inputs);
        using var scope = NewDisposeScope();
        return layer([.. inputs.Select(input => input.view(input.shape))]).MoveToOuterDisposeScope();
    }

    private sealed record Kept(Recompute Pass, Func<IReadOnlyList<Tensor>, Tensor> Layer, Tensor Made, IReadOnlyList<Tensor> Leaves);

    private sealed class Step : autograd.SingleTensorFunction<Step>
    {
        public override string Name => nameof(Recompute);

        public override Tensor forward(autograd.AutogradContext context, params object[] arguments)
        {
            var kept = (Kept)arguments[0];
            context.save_data(nameof(Recompute), kept.Pass);
            context.save_data(nameof(Kept.Layer), kept.Layer);
            context.save_for_backward([.. kept.Leaves]);
            return kept.Made;
        }

        // Runs inside the engine, on its thread: in the caller's dispose scope on the CPU, in none on other devices.
        public override List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
        {
            var pass = (Recompute)context.get_data(nameof(Recompute));
            var layer = (Func<IReadOnlyList<Tensor>, Tensor>)context.get_data(nameof(Kept.Layer));
            pass._handedOver.ForEach(tensor => tensor?.Dispose());                                           // the engine has its own references by now
            using var scope = NewDisposeScope();
            using var _ = enable_grad();
            Gradient[] gradients = [.. context.get_saved_variables().Select(leaf => new Gradient(leaf))];
            context.Dispose();
            autograd.backward(layer([.. gradients.Select(own => own.Of.requires_grad ? Entry.apply(own.Of, own) : own.Of)]), gradient);
            gradient.Dispose();
            pass._handedOver = [.. gradients.Select(own => own.Value?.MoveToOuterDisposeScope())];
            return [null!, null!, .. pass._handedOver.Select(tensor => tensor!)];
        }
    }

    private sealed class Gradient(Tensor of)
    {
        public Tensor Of => of;
        public Tensor? Value { get; set; }
    }

    // Where a layer's input enters: its gradient ends here, as it comes. Added to the input's .grad it would take on the input's layout in memory, and
    // the layers below would choose other kernels.
    private sealed class Entry : autograd.SingleTensorFunction<Entry>
    {
        public override string Name => nameof(Entry);

        public override Tensor forward(autograd.AutogradContext context, params object[] arguments)
        {
            context.save_data(nameof(Gradient), arguments[1]);
            return ((Tensor)arguments[0]).alias();
        }

        public override List<Tensor> backward(autograd.AutogradContext context, Tensor gradient)
        {
            ((Gradient)context.get_data(nameof(Gradient))).Value = gradient;
            return [null!, null!];
        }
    }
}
