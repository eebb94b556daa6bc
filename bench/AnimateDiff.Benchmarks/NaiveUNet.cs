using AnimateDiff.Denoising;
using AnimateDiff.Layers;

namespace AnimateDiff.Benchmarks;

/// <summary>A step of the UNet with motion modules as diffusers' <c>UNetMotionModel</c> computes it eagerly: the naive reference of <see cref="StepSpeed"/>.</summary>
/// <param name="weights">Of a <see cref="UNetMotionModel"/>, by name; they stay its own.</param>
/// <param name="config">Its image layers.</param>
/// <param name="motion">Its motion modules.</param>
internal sealed class NaiveUNet(IReadOnlyDictionary<string, Tensor> weights, UNetConfig config, MotionConfig motion)
{
    private readonly Naive _layers = new(weights, config.NormNumGroups);
    private readonly Naive _motion = new(weights, motion.MotionNormNumGroups);

    /// <summary>Whether, with gradients on, each layer keeps only its inputs and runs again in the backward pass.</summary>
    public bool Recomputes { get; init; }

    /// <summary>The guided prediction of a step: both halves of the guidance as one batch.</summary>
    /// <param name="latents">[1, 4, F, h, w]</param>
    /// <param name="timestep">A number, [1].</param>
    /// <param name="text">[2·F, L, D]: one row for each frame, those of the negative prompt first.</param>
    /// <param name="scale">Of the guidance.</param>
    public Tensor Step(Tensor latents, Tensor timestep, Tensor text, double scale)
    {
        using var scope = NewDisposeScope();
        var halves = cat([latents, latents]).Then(x => Forward(x, timestep, text)).chunk(2);
        return halves[0].Add((halves[1] - halves[0]).Times(scale)).MoveToOuterDisposeScope();
    }

    /// <summary>[B, 4, F, h, w] and [B·F, L, D] → [B, 4, F, h, w].</summary>
    public Tensor Forward(Tensor sample, Tensor timestep, Tensor text)
    {
        using var scope = NewDisposeScope();
        var recompute = Recomputes && is_grad_enabled() ? new Recompute() : null;
        var (clips, frames) = (sample.shape[0], sample.shape[2]);
        var levels = config.BlockOutChannels.Count;

        // 1. time, for each frame
        var time = Waves(timestep.expand(clips)).Then(x => _layers.Linear("time_embedding.linear_1", x)).Then(x => x.silu())
            .Then(x => _layers.Linear("time_embedding.linear_2", x)).Then(x => x.repeat_interleave(frames, dim: 0));   // [B·F, T]

        // 2. frames join the batch
        var hidden = sample.permute(0, 2, 1, 3, 4).Then(x => x.reshape(-1, sample.shape[1], sample.shape[3], sample.shape[4])).Then(x => _layers.Convolution("conv_in", x));

        // 3. down; what the way up takes up again is held until then
        var skips = new Stack<Tensor>([hidden.alias()]);
        for (var level = 0; level < levels; level++)
        {
            for (var layer = 0; layer < config.LayersPerBlock; layer++)
            {
                hidden = Layer($"down_blocks.{level}", layer, hidden);
                skips.Push(hidden.alias());
            }
            if (_layers.Has($"down_blocks.{level}.downsamplers.0.conv"))
            {
                hidden = hidden.Then(x => _layers.Convolution($"down_blocks.{level}.downsamplers.0.conv", x, stride: 2));
                skips.Push(hidden.alias());
            }
        }

        // 4. mid
        hidden = Layer("mid_block", 0, hidden).Then(x => _layers.Resnet("mid_block.resnets.1", x, time, config.NormEps));

        // 5. up
        for (var level = 0; level < levels; level++)
        {
            using var entered = hidden.alias();                                                             // the caller of the level holds it
            var used = new List<Tensor>();
            for (var layer = 0; layer <= config.LayersPerBlock; layer++)
            {
                used.Add(skips.Pop());
                hidden = Layer($"up_blocks.{level}", layer, hidden.Then(x => cat([x, used[^1]], 1)));
            }
            if (_layers.Has($"up_blocks.{level}.upsamplers.0.conv"))
            {
                var above = skips.Peek().shape;
                hidden = hidden.Then(x => nn.functional.interpolate(x, size: [above[2], above[3]], mode: InterpolationMode.Nearest))
                    .Then(x => _layers.Convolution($"up_blocks.{level}.upsamplers.0.conv", x));
            }
            used.ForEach(skip => skip.Dispose());
        }

        // 6. out
        hidden = hidden.Then(x => _layers.GroupNorm("conv_norm_out", x, config.NormEps)).Then(x => x.silu()).Then(x => _layers.Convolution("conv_out", x));
        return hidden.reshape([clips, frames, .. hidden.shape[1..]]).permute(0, 2, 1, 3, 4).MoveToOuterDisposeScope();

        // The images are let go of.
        Tensor Layer(string block, int layer, Tensor own) => own.Then(images => recompute is null
            ? LayerOf(block, layer, images, time, text, frames)
            : recompute.Run(inputs => LayerOf(block, layer, inputs[0], inputs[1], inputs[2], frames), images, time, text));
    }

    // A resnet and what follows it at its place: attention where the level has it, and motion, of images [B·F, C, H, W].
    private Tensor LayerOf(string block, int layer, Tensor images, Tensor time, Tensor text, long frames)
    {
        using var scope = NewDisposeScope();
        var hidden = _layers.Resnet($"{block}.resnets.{layer}", images, time, config.NormEps);
        if (_layers.Has($"{block}.attentions.{layer}.norm"))
            hidden = hidden.Then(x => Spatial($"{block}.attentions.{layer}", x, text));
        if (_layers.Has($"{block}.motion_modules.{layer}.norm"))
            hidden = hidden.Then(x => Temporal($"{block}.motion_modules.{layer}", x, frames));
        return hidden.MoveToOuterDisposeScope();
    }

    // Attention in the images and to the text, [B·F, C, H, W].
    private Tensor Spatial(string block, Tensor images, Tensor text)
    {
        using var scope = NewDisposeScope();
        var (n, c, h, w) = (images.shape[0], images.shape[1], images.shape[2], images.shape[3]);
        return _layers.GroupNorm(block + ".norm", images, 1e-6).Then(x => _layers.Convolution(block + ".proj_in", x))
            .Then(x => x.permute(0, 2, 3, 1)).Then(x => x.reshape(n, h * w, c))
            .Then(x => _layers.Transformer(block + ".transformer_blocks.0", x, text, null, config.Heads))
            .Then(x => x.reshape(n, h, w, c)).Then(x => x.permute(0, 3, 1, 2)).Then(x => x.contiguous())
            .Then(x => _layers.Convolution(block + ".proj_out", x)).Then(x => x.Add(images)).MoveToOuterDisposeScope();
    }

    // Attention along the frames at each place, [B·F, C, H, W]; normalised across the frames.
    private Tensor Temporal(string block, Tensor images, long frames)
    {
        using var scope = NewDisposeScope();
        var (n, c, h, w) = (images.shape[0], images.shape[1], images.shape[2], images.shape[3]);
        var clips = n / frames;
        var positions = _motion.Of(block + ".transformer_blocks.0.pos_embed.pe").narrow(1, 0, frames).to(images.dtype);
        return images.reshape(clips, frames, c, h, w).Then(x => x.permute(0, 2, 1, 3, 4))
            .Then(x => _motion.GroupNorm(block + ".norm", x, 1e-6))
            .Then(x => x.permute(0, 3, 4, 2, 1)).Then(x => x.reshape(clips * h * w, frames, c))
            .Then(x => _motion.Linear(block + ".proj_in", x))
            .Then(x => _motion.Transformer(block + ".transformer_blocks.0", x, null, positions, motion.MotionNumAttentionHeads))
            .Then(x => _motion.Linear(block + ".proj_out", x))
            .Then(x => x.reshape(clips, h, w, frames, c)).Then(x => x.permute(0, 3, 4, 1, 2)).Then(x => x.contiguous())
            .Then(x => x.reshape(n, c, h, w)).Then(x => x.Add(images)).MoveToOuterDisposeScope();
    }

    // Sinusoids of the timestep, cosines first, [B] → [B, C].
    private Tensor Waves(Tensor timestep)
    {
        using var scope = NewDisposeScope();
        var half = config.BlockOutChannels[0] / 2;
        var frequencies = Scalars.Arange(half, dtype: ScalarType.Float32).Times(-Math.Log(10000) / half).exp();
        var angles = timestep.to(ScalarType.Float32).unsqueeze(1) * frequencies;
        return cat([angles.cos(), angles.sin()], 1).to(weights["conv_in.weight"].dtype).MoveToOuterDisposeScope();
    }
}
