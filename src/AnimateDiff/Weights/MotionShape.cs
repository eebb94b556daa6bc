using System.Text.RegularExpressions;
using AnimateDiff.Denoising;
using AnimateDiff.Weights.Layouts;

namespace AnimateDiff.Weights;

/// <summary>What the tensors of a motion module under diffusers' names say: its version, and what that version needs.</summary>
internal sealed partial record MotionShape(
    MotionVersion Version, IReadOnlyList<long> Widths, int LayersPerBlock, int? PositionRows, bool HasTable, bool MidBlock, int? ConvInChannels, bool IsConvolution, IReadOnlyList<string> Warnings)
{
    private const int OfficialLayers = 2, PositionsV1 = 24, PositionsSince = 32, PositionsLcm = 64;

    /// <summary>Frames a module can be run with: its own table's rows, or what its version was trained with.</summary>
    public int MaxFrames => PositionRows ?? Version switch { MotionVersion.V1 => PositionsV1, MotionVersion.AnimateLcm => PositionsLcm, _ => PositionsSince };

    public ModelFamily Family => Version is MotionVersion.Sdxl or MotionVersion.HotShotXL ? ModelFamily.StableDiffusionXL : ModelFamily.StableDiffusion1;

    public MotionTraits Traits => new(Version, MaxFrames, HasTable, MidBlock,
        ResnetNormAcrossFrames: Version is MotionVersion.V1 or MotionVersion.Pia or MotionVersion.HotShotXL,
        BetaSchedule: Family == ModelFamily.StableDiffusionXL ? "scaled_linear" : "linear",
        BetaEnd: Version == MotionVersion.Sdxl ? 0.020 : 0.012,
        ConvInChannels)
    { Temporal = IsConvolution ? MotionConfig.Convolution : MotionConfig.Attention };

    /// <summary>Looks at a motion module. The order of the questions matters: a module of PIA or of SDXL has a position encoding like any other.</summary>
    /// <param name="motion">The module under diffusers' names.</param>
    /// <param name="configuredRows">Rows of the position encoding by its configuration, for folders that do not store it.</param>
    public static MotionShape Of(StateDict motion, int? configuredRows = null)
    {
        var blocks = NameParts.Count(motion.Keys, "down_blocks.");
        var midBlock = motion.Has("mid_block.motion_modules.");
        var table = motion.FirstOrDefault(entry => PositionTable().IsMatch(entry.Key)).Value;
        var convolution = motion.Mentions(".transformer_blocks.0.conv1.");
        var rows = table is { Shape.Count: > 1 } ? (int)table.Shape[^2] : configuredRows ?? (convolution ? PositionsSince : null);
        int? convIn = motion.TryGetValue("conv_in.weight", out var conv) && !UNetShape.Matches(motion) ? (int)conv.Size(1) : null;
        var warnings = new List<string>();

        MotionVersion version;
        if (motion.Mentions("temporal_attentions") || motion.Mentions("positional_encoding"))
            version = MotionVersion.HotShotXL;
        else if (convIn is not null)
            version = MotionVersion.Pia;
        else if (blocks == 3)
            version = MotionVersion.Sdxl;
        else if (midBlock)
        {
            version = rows is null or PositionsLcm ? MotionVersion.AnimateLcm : MotionVersion.V2;
            if (rows is null)
                warnings.Add($"no pos_encoder.pe but a middle block: taken for AnimateLCM with {PositionsLcm} frames; a v2 module trained with today's official code looks the same.");
        }
        else
        {
            version = rows == PositionsV1 ? MotionVersion.V1 : MotionVersion.V3;
            if (rows is null)
                warnings.Add($"no pos_encoder.pe and no middle block: v1 or v3 trained with today's official code; taken for v3 with {PositionsSince} frames unless the version is given.");
        }
        return new MotionShape(version, BlockWidths(motion, blocks), NameParts.Count(motion.Keys, "down_blocks.0.motion_modules.") is > 0 and var layers ? layers : OfficialLayers, rows, table is not null, midBlock, convIn, convolution, warnings);
    }

    /// <summary>Short name for messages.</summary>
    public static string Name(MotionVersion version) => version switch
    {
        MotionVersion.V1 => "v1",
        MotionVersion.V2 => "v2",
        MotionVersion.V3 => "v3",
        MotionVersion.Sdxl => "SDXL",
        MotionVersion.AnimateLcm => "AnimateLCM",
        MotionVersion.Pia => "PIA",
        _ => "Hotshot-XL",
    };

    private static long[] BlockWidths(StateDict motion, int blocks)
        => [.. Enumerable.Range(0, blocks).Select(block => motion.FirstOrDefault(entry =>
            entry.Key.StartsWith($"down_blocks.{block}.", StringComparison.Ordinal) && Projection().IsMatch(entry.Key)).Value.Size(0))];

    [GeneratedRegex(@"\.(pos_embed|pos_encoder)\.(pe|positional_encoding)$")]
    private static partial Regex PositionTable();

    [GeneratedRegex(@"\.(motion_modules|temporal_attentions)\.\d+\.(temporal_transformer\.)?proj_in\.weight$")]
    private static partial Regex Projection();
}
