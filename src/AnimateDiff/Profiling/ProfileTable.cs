using System.Text;

namespace AnimateDiff.Profiling;

/// <summary>A <see cref="Profile"/> to read.</summary>
internal static class ProfileTable
{
    private static readonly Dictionary<Kind, string> Names = new()
    {
        [Kind.Convolution] = "convolutions",
        [Kind.Linear] = "linear layers",
        [Kind.SpatialAttention] = "attention in images",
        [Kind.TextAttention] = "attention to text",
        [Kind.TemporalAttention] = "attention along frames",
        [Kind.Norm] = "norms",
        [Kind.Rest] = "the rest",
    };

    /// <summary>A paragraph and a table for each of the two stages; a stage that did not run has none.</summary>
    public static string Of(Profile profile) => Stage("Denoising", "UNet", profile.Denoising) + Stage("Decoding", "VAE", profile.Decoding);

    private static string Stage(string name, string model, IReadOnlyDictionary<Kind, Work> work)
    {
        if (!work.TryGetValue(Kind.Rest, out var rest))
            return "";
        var whole = work.Values.Aggregate((sum, part) => sum + part);
        var text = new StringBuilder();
        text.AppendLine($"{name}: {rest.Calls} {(rest.Calls == 1 ? "call" : "calls")} of the {model}, {whole.Flop / rest.Calls / 1e12:0.0000} TFLOP and {whole.Seconds / rest.Calls:0.000} s each, {whole.GigaflopPerSecond:0.0} GFLOP/s");
        text.AppendLine($"  {"",-24}{"calls",9}{"seconds",11}{"GFLOP",13}{"GFLOP/s",10}{"share",8}");
        foreach (var (kind, row) in Names.Where(row => work.ContainsKey(row.Key)))
        {
            var part = work[kind];
            var (flop, speed) = part.Flop > 0 ? ($"{part.Flop / 1e9:0.000}", $"{part.GigaflopPerSecond:0.0}") : ("", "");
            text.AppendLine($"  {row,-24}{(kind == Kind.Rest ? "" : part.Calls),9}{part.Seconds,11:0.000}{flop,13}{speed,10}{part.Seconds / whole.Seconds,8:0.0 %}");
        }
        return text.ToString();
    }
}
