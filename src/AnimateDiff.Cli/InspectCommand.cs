using System.CommandLine;
using AnimateDiff.Weights;

namespace AnimateDiff.Cli;

/// <summary><c>animatediff inspect</c></summary>
internal static class InspectCommand
{
    public static Command Create()
    {
        var path = new Argument<string>("path") { Description = "A weight file, a model's folder, or OWNER/NAME on the hub." };
        var json = new Option<bool>("--json") { Description = "Print everything as JSON." };
        var verify = new Option<bool>("--verify") { Description = "Read every tensor too, to find damaged data and numbers that are none." };
        var command = new Command("inspect", "Says what a checkpoint is: kind, version, layout, base model, types, and the names and shapes of its tensors. Runs nothing of it.") { path, json, verify };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var resolved = await HubFiles.ResolveAsync(parsed.GetValue(path)!, cancellationToken);
            var report = CheckpointInspector.Inspect(resolved);
            var notFinite = parsed.GetValue(verify) ? CheckpointInspector.Verify(resolved) : [];
            if (parsed.GetValue(json))
                Console.WriteLine(report.ToJson());
            else
                Print(report);
            foreach (var name in notFinite)
                Console.Error.WriteLine($"warning: {name} holds NaN or infinite values; pictures will be black or fail.");
            return ExitCodes.Done;
        });
        return HelpWithExamples.WithExamples(command, """
              animatediff inspect v3_sd15_mm.ckpt
              animatediff inspect sd15/ --json
              animatediff inspect downloaded.safetensors --verify
            """);
    }

    private static void Print(CheckpointReport report)
    {
        Console.WriteLine(report.Kind.Sentence);
        foreach (var warning in report.Kind.Warnings)
            Console.WriteLine($"warning: {warning}");
        Console.WriteLine($"{report.Format}, {report.Files.Count} file{(report.Files.Count == 1 ? "" : "s")}, {report.Tensors.Count} tensors");
        foreach (var (name, value) in report.Metadata.OrderBy(entry => entry.Key, StringComparer.Ordinal))
            Console.WriteLine($"  {name} = {(value.Length <= 100 ? value : value[..100] + "…")}");
        var width = report.Tensors.Select(tensor => tensor.Name.Length).DefaultIfEmpty(0).Max();
        foreach (var tensor in report.Tensors)
            Console.WriteLine($"  {tensor.Name.PadRight(width)}  {tensor.DType.ToString().ToLowerInvariant(),-8}  [{string.Join(", ", tensor.Shape)}]");
    }
}
