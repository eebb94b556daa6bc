using System.CommandLine;
using AnimateDiff.Weights;
using TorchSharp;

namespace AnimateDiff.Cli;

/// <summary><c>animatediff convert</c></summary>
internal static class ConvertCommand
{
    public static Command Create()
    {
        var input = new Argument<string>("in") { Description = "A base model, motion module or LoRA of any layout." };
        var output = new Argument<string>("out") { Description = "A folder for a model in diffusers' layout, a .safetensors file for anything else." };
        var to = new Option<string>("--to") { Description = "Layout to write: diffusers, official, kohya or compvis.", Required = true };
        to.AcceptOnlyFromAmong("diffusers", "official", "kohya", "compvis");
        var dtype = new Option<string?>("--dtype") { Description = "Type of the weights: fp16, bf16 or fp32. Each one's own when absent." };
        dtype.AcceptOnlyFromAmong("fp16", "bf16", "fp32");
        var overwrite = new Option<bool>("--overwrite") { Description = "Replace what is there." };
        var command = new Command("convert", "Writes a checkpoint in another layout. Tensors keep their bits unless --dtype asks for another type.") { input, output, to, dtype, overwrite };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var result = CheckpointConverter.Convert(
                await HubFiles.ResolveAsync(parsed.GetValue(input)!, cancellationToken), parsed.GetValue(output)!,
                Enum.Parse<ConversionTarget>(parsed.GetValue(to)!, ignoreCase: true), DType(parsed.GetValue(dtype)), parsed.GetValue(overwrite));
            Console.Error.WriteLine(result.Kind.Sentence);
            foreach (var note in result.Notes)
                Console.Error.WriteLine($"note: {note}");
            Console.WriteLine(result.Path);
            return ExitCodes.Done;
        });
        return HelpWithExamples.WithExamples(command, """
              animatediff convert v3_sd15_mm.ckpt adapter/ --to diffusers
              animatediff convert sd15/ sd15.safetensors --to compvis --dtype fp16
              animatediff convert v3_sd15_adapter.ckpt adapter.safetensors --to kohya
            """);
    }

    private static torch.ScalarType? DType(string? name) => name switch
    {
        "fp16" => torch.ScalarType.Float16,
        "bf16" => torch.ScalarType.BFloat16,
        "fp32" => torch.ScalarType.Float32,
        _ => null,
    };
}
