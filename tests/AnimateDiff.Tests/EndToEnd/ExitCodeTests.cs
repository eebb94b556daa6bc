using AnimateDiff.Cli;
using AnimateDiff.Tests.Weights;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary>What the program answers to what it cannot do: the exit code and a sentence.</summary>
public sealed class ExitCodeTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Every_damaged_or_hostile_file_ends_in_exit_code_3_with_a_message()
    {
        var count = 0;
        foreach (var file in MutatedFiles.All(_folder["it-was-run"]))
        {
            var path = _folder.Write($"file{Path.GetExtension(file.Name)}", file.Bytes);
            var (code, error) = await RunAsync("inspect", path, "--verify");
            Assert.True(code == 3 && error.StartsWith("animatediff: ") && error.Length > 30, $"{file.Name}: exit code {code}, {error}");
            Assert.False(File.Exists(_folder["it-was-run"]), $"{file.Name} was run.");
            count++;
        }
        Assert.InRange(count, 200, 1000);
    }

    public static TheoryData<string, int, string> Refusals => new()
    {
        { "", 2, "Required command" },
        { "generate", 2, "Required argument" },
        { "generate x --out a.gif --motion {motion-v3.ckpt}", 2, "--base" },
        { "generate x --out a.gif --base toybox:disco", 2, "toybox:neon" },
        { "inspect toybox:disco", 2, "toybox:zoom-out" },
        { "generate x --out a.gif --base b --steps many", 2, "--steps" },
        { "generate x --out a.xyz --base b", 2, "a.xyz" },
        { "generate x --out a.gif --base b --dtype fp16", 2, "bf16" },
        { "generate x y z --seed 1 --seed 2 --out a.gif --base b", 2, "do not pair" },
        { "generate x --out a.gif --base /nowhere", 3, "/nowhere does not exist" },
        { "generate x --out a.gif --base {motion-v3.ckpt}", 3, "--motion" },
        { "generate x --out a.gif --base {nano-sd15} --motion {nano-sd15}", 3, "--base" },
        { "generate x --out a.gif --base {nano-sd15} --motion {motion-v3.ckpt} --tokenizer /nowhere", 3, "/nowhere" },
        { "generate x --out a.gif --base b --scheduler magic", 2, "magic" },
        { "generate x --out a.gif --base b --scheduler-option speed=high", 2, "speed" },
        { "generate x --out a.gif --base {nano-sd15} --motion {motion-v3.ckpt} --frames 33 {small}", 2, "32" },
        { "generate x --out a.gif --base {nano-sd15} --motion {motion-v3.ckpt} --width 60 {small}", 2, "multiples of 8" },
        { "generate x --out a.gif --base {nano-sd15} --motion {motion-v3.ckpt} --motion-lora {motionlora-zoom-in.ckpt} {small}", 3, "v2" },
        { "generate x --out a.gif --base {nano-sd15} --motion {motion-v2.safetensors} --motion-lora {domain-adapter.ckpt} {small}", 3, "--domain-adapter" },
        { "generate x --out a.gif --base {nano-sd15} --motion {motion-v2.safetensors} --domain-adapter {motionlora-zoom-in.ckpt} {small}", 3, "--motion-lora" },
        { "generate x --out a.gif --controlnet a --controlnet b --control c.png", 2, "2 --controlnet and 1 --control" },
        { "generate x --out a.gif --controlnet a --control /nowhere.png", 3, "/nowhere.png does not exist" },
        { "generate x --out a.gif --controlnet a:1:0.5-0.2 --control {nano-sd15}", 2, "from 0.5 to 0.2" },
        { "generate x --out a.gif --sparse 0:a.png", 2, "--sparsectrl" },
        { "generate x --out a.gif --sparsectrl a --sparse first.png", 2, "INDEX:IMAGE" },
        { "generate x --out a.gif --sparsectrl a --sparse 0:/nowhere.png", 3, "/nowhere.png does not exist" },
        { "inspect /nowhere", 3, "/nowhere" },
        { "convert {motion-v3.ckpt} out --to kohya", 2, "LoRA" },
        { "run /nowhere.yaml", 3, "/nowhere.yaml" },
        { "reproduce {kohya-style.safetensors} --out a.gif", 3, "damaged or not" },
        { "pull nonsense", 2, "OWNER/NAME" },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task Wrong_requests_are_refused_with_a_sentence(string command, int expected, string named)
    {
        using var vocabulary = Text.Vocabularies.Small();
        string[] args = [.. command.Replace("{small}", $"--tokenizer {vocabulary.Path} --steps 1").Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(word => word.StartsWith('{') ? Goldens.Model(word.Trim('{', '}')) : word)];
        var (code, error) = await RunAsync([.. args.Select(word => word == "a.gif" ? _folder[word] : word)]);
        Assert.Equal((expected, true), (code, error.Contains(named)));
        Assert.Empty(_folder.Entries);
    }

    private static async Task<(int Code, string Error)> RunAsync(params string[] args)
    {
        using var error = new StringWriter();
        return (await App.RunAsync(args, error, CancellationToken.None), error.ToString());
    }
}
