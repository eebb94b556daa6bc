using AnimateDiff.Layers;

namespace AnimateDiff.Benchmarks;

/// <summary>
/// The layers of Stable Diffusion as eager PyTorch code computes them, one library call after the other: images are contiguous [N, C, H, W], tokens are copied
/// out of them and back, and nothing is written over. A tensor is let go of where Python's last reference to it would go. Weights are found by their names in checkpoints.
/// </summary>
internal sealed class Naive(IReadOnlyDictionary<string, Tensor> weights, long groups)
{
    /// <summary>Whether there is such a layer.</summary>
    public bool Has(string layer) => weights.ContainsKey(layer + ".weight");

    public Tensor Of(string name) => weights[name];

    public Tensor Linear(string layer, Tensor x) => nn.functional.linear(x, Of(layer + ".weight"), Bias(layer));

    public Tensor Convolution(string layer, Tensor images, long stride = 1)
    {
        var weight = Of(layer + ".weight");
        var padding = weight.shape[^1] / 2;
        return nn.functional.conv2d(images, weight, Bias(layer), strides: [stride, stride], padding: [padding, padding]);
    }

    public Tensor GroupNorm(string layer, Tensor x, double eps) => nn.functional.group_norm(x, groups, Of(layer + ".weight"), Bias(layer), eps);

    public Tensor LayerNorm(string layer, Tensor tokens) => nn.functional.layer_norm(tokens, [tokens.shape[^1]], Of(layer + ".weight"), Bias(layer), 1e-5);

    /// <summary>[N, C, H, W] and the time embedding [N, T], or null in the VAE.</summary>
    public Tensor Resnet(string block, Tensor images, Tensor? time, double eps)
    {
        using var scope = NewDisposeScope();
        var hidden = GroupNorm(block + ".norm1", images, eps).Then(x => x.silu()).Then(x => Convolution(block + ".conv1", x));
        if (time is not null)
        {
            var shift = time.silu().Then(x => Linear(block + ".time_emb_proj", x));                          // [N, C]
            hidden = hidden.Then(x => x.Add(shift.unsqueeze(-1).unsqueeze(-1)));
        }
        hidden = hidden.Then(x => GroupNorm(block + ".norm2", x, eps)).Then(x => x.silu()).Then(x => Convolution(block + ".conv2", x));
        var shortcut = Has(block + ".conv_shortcut") ? Convolution(block + ".conv_shortcut", images) : images;
        return shortcut.Add(hidden).Then(x => x.Over(1)).MoveToOuterDisposeScope();                           // output_scale_factor is 1, and divided by
    }

    /// <summary>Attention of [N, L, C] to a context [N, S, D], or to itself.</summary>
    public Tensor Attention(string layer, Tensor tokens, Tensor? context, long heads)
    {
        using var scope = NewDisposeScope();
        var (query, key, value) = (Linear(layer + ".to_q", tokens), Linear(layer + ".to_k", context ?? tokens), Linear(layer + ".to_v", context ?? tokens));
        Tensor Heads(Tensor x) => x.view(x.shape[0], -1, heads, x.shape[2] / heads).transpose(1, 2);         // [N, L, C] → [N, heads, L, C/heads]
        return nn.functional.scaled_dot_product_attention(Heads(query), Heads(key), Heads(value))
            .Then(x => x.transpose(1, 2)).Then(x => x.reshape(tokens.shape))
            .Then(x => Linear(layer + ".to_out.0", x))
            .Then(x => x.Over(1))                                                                           // rescale_output_factor
            .MoveToOuterDisposeScope();
    }

    /// <summary>A transformer block on [N, L, C]: two attentions and a feed-forward layer, each with what it began from added.</summary>
    /// <param name="block">Its name.</param>
    /// <param name="tokens">[N, L, C]</param>
    /// <param name="context">What the second attention sees, or null for the tokens.</param>
    /// <param name="positions">Added to what is attended to, [1, L, C]; null for none.</param>
    /// <param name="heads">Attention heads.</param>
    public Tensor Transformer(string block, Tensor tokens, Tensor? context, Tensor? positions, long heads)
    {
        using var scope = NewDisposeScope();
        Tensor Normed(string norm, Tensor x) => positions is null ? LayerNorm(block + norm, x) : LayerNorm(block + norm, x).Then(y => y.Add(positions));
        var normed = Normed(".norm1", tokens);
        var hidden = Attention(block + ".attn1", normed, null, heads).Then(x => x.Add(tokens));
        normed = normed.Then(_ => Normed(".norm2", hidden));
        hidden = hidden.Then(x => Attention(block + ".attn2", normed, context, heads).Then(y => y.Add(x)));
        normed = normed.Then(_ => LayerNorm(block + ".norm3", hidden));
        return FeedForward(block + ".ff", normed).Then(x => x.Add(hidden)).MoveToOuterDisposeScope();
    }

    private Tensor FeedForward(string layer, Tensor tokens)
    {
        using var scope = NewDisposeScope();
        return Geglu().Then(x => Linear(layer + ".net.2", x)).MoveToOuterDisposeScope();

        Tensor Geglu()
        {
            using var inner = NewDisposeScope();
            var halves = Linear(layer + ".net.0.proj", tokens).chunk(2, dim: -1);
            return (halves[0] * halves[1].gelu()).MoveToOuterDisposeScope();
        }
    }

    private Tensor? Bias(string layer) => weights.GetValueOrDefault(layer + ".bias");
}
