using System.CommandLine;
using AnimateDiff.Hub;

namespace AnimateDiff.Cli;

/// <summary><c>animatediff pull</c></summary>
internal static class PullCommand
{
    public static Command Create()
    {
        var name = new Argument<string>("name") { Description = "OWNER/NAME, with @REVISION and :FILE,FILE… where wanted." };
        var variant = new Option<string?>("--variant") { Description = "Weights of another precision, such as fp16, where the repository has them.", HelpName = "NAME" };
        var command = new Command("pull", "Downloads a model from a Hugging Face-compatible hub into the cache that Python's tools use too, and prints where it is. HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE mean what they mean there. What was cut off is resumed.") { name, variant };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var text = parsed.GetValue(name)!;
            if (!HubReference.TryParse(text, out var reference))
                throw new RequestException($"'{text}' names nothing on a hub: expected OWNER/NAME[@REVISION][:FILE,FILE…], such as guoyww/animatediff:v3_sd15_mm.ckpt.");
            using var client = new HubClient(HubOptions.FromEnvironment() with { Variant = parsed.GetValue(variant) });
            Console.WriteLine(await HubFiles.PullAsync(client, await client.PlanAsync(reference, cancellationToken), cancellationToken));
            return ExitCodes.Done;
        });
        return HelpWithExamples.WithExamples(command, """
              animatediff pull stable-diffusion-v1-5/stable-diffusion-v1-5 --variant fp16
              animatediff pull guoyww/animatediff:v3_sd15_mm.ckpt,v3_sd15_adapter.ckpt
              animatediff pull guoyww/animatediff-motion-adapter-v1-5-3
            """);
    }
}
