using System.CommandLine;

namespace AnimateDiff.Cli;

/// <summary>The options for pictures as prompts.</summary>
internal sealed class ImagePromptArguments
{
    private readonly Option<string[]> _adapter = new("--ip-adapter") { Description = "An IP-Adapter, plain or plus, with its strength (in some frames: 0:1,7:1,8:0): shows pictures to the model. May be given several times, with a picture each.", HelpName = "FILE[:CURVE]" };
    private readonly Option<string[]> _image = new("--ip-image") { Description = "A picture as a prompt, for --ip-adapter; may be given several times.", HelpName = "FILE" };
    private readonly Option<string?> _encoder = new("--ip-encoder") { Description = "Folder of the CLIP vision model that the IP-Adapter sees with (default: image_encoder/ beside it).", HelpName = "DIR" };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_adapter, _image, _encoder])
            command.Options.Add(option);
    }

    /// <summary>The image prompts given on the command line.</summary>
    public IReadOnlyList<ImagePrompt> Prompts(ParseResult parsed) =>
        ImagePrompt.Pair(parsed.GetValue(_adapter) ?? [], parsed.GetValue(_image) ?? [], parsed.GetValue(_encoder));
}
