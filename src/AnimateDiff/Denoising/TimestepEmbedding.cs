using AnimateDiff.Layers;
using TorchSharp.Modules;

namespace AnimateDiff.Denoising;

/// <summary>Sinusoids of the timestep (Ho et al. 2020, arXiv 2006.11239, after Vaswani et al. 2017) through two linear layers.</summary>
internal sealed class TimestepEmbedding : nn.Module<Tensor, Tensor>
{
    private const double MaxPeriod = 10000;

    private readonly Linear linear_1;
    private readonly Linear linear_2;
    private readonly UNetConfig _config;

    public TimestepEmbedding(UNetConfig config, Device? device = null) : base(nameof(TimestepEmbedding))
    {
        _config = config;
        linear_1 = new Linear(config.BlockOutChannels[0], config.TimeChannels, device: device);
        linear_2 = new Linear(config.TimeChannels, config.TimeChannels, device: device);
        RegisterComponents();
    }

    /// <param name="timestep">[B], of any number type</param>
    /// <returns>[B, T]</returns>
    public override Tensor forward(Tensor timestep)
    {
        using var scope = NewDisposeScope();
        var half = _config.BlockOutChannels[0] / 2;
        var exponent = Scalars.Arange(half, dtype: ScalarType.Float32, device: timestep.device).Times(-Math.Log(MaxPeriod)).Over(half - _config.FreqShift);
        var angle = timestep.to(ScalarType.Float32).unsqueeze(1) * exponent.exp();                          // [B, C/2]; in fp32, since t·ω reaches 1000
        var waves = _config.FlipSinToCos ? cat([angle.cos(), angle.sin()], 1) : cat([angle.sin(), angle.cos()], 1);
        return linear_2.call(linear_1.call(waves.to(linear_1.bias!.dtype)).Silu()).MoveToOuterDisposeScope();
    }
}
