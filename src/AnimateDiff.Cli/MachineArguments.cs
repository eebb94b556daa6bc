using System.CommandLine;

namespace AnimateDiff.Cli;

/// <summary>The options that say with what means of the machine to compute, shared by every command that generates.</summary>
internal sealed class MachineArguments
{
    private readonly Option<string> _dtype = new("--dtype") { Description = "Arithmetic: fp32 or bf16.", DefaultValueFactory = _ => "fp32" };
    private readonly Option<MemoryUse?> _memory = new("--memory") { Description = "low: models in memory only while they are used, frames a few at a time, and bf16 unless --dtype is given; slower.", HelpName = "normal|low" };
    private readonly Option<string> _device = new("--device") { Description = "cpu or cuda.", DefaultValueFactory = _ => "cpu" };
    private readonly Option<int?> _threads = new("--threads") { Description = "CPU threads; all cores by default.", HelpName = "N" };
    private readonly Option<bool> _force = new("--force") { Description = "Load pairs that were not made for each other, such as a v2 MotionLoRA on a v3 module; try what does not seem to fit into memory." };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_dtype, _memory, _device, _threads, _force])
            command.Options.Add(option);
    }

    /// <summary>Options with what is asked for on the command line; what is not given is <paramref name="recorded"/>'s.</summary>
    public PipelineOptions Apply(ParseResult parsed, PipelineOptions options, PipelineOptions? recorded = null) => options with
    {
        DType = PipelineOptions.ParseDType(Given(parsed, _dtype) ?? recorded?.DTypeName ?? (parsed.GetValue(_memory) == MemoryUse.Low ? "bf16" : parsed.GetValue(_dtype)!)),
        Memory = parsed.GetValue(_memory) ?? recorded?.Memory ?? MemoryUse.Normal,
        Device = Given(parsed, _device) ?? recorded?.Device ?? parsed.GetValue(_device)!,
        Threads = parsed.GetValue(_threads),
        Force = parsed.GetValue(_force),
    };

    private static string? Given(ParseResult parsed, Option<string> option) => parsed.GetResult(option) is { Implicit: false } ? parsed.GetValue(option) : null;
}
