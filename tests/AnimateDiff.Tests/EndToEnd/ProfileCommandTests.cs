namespace AnimateDiff.Tests.EndToEnd;

public sealed class ProfileCommandTests : ModelCommandTests
{
    [Fact]
    public async Task A_profile_is_printed_beside_the_path_and_refused_where_it_would_be_wrong()
    {
        string[] generate = ["generate", "a dog", "--frames", "2", "--steps", "2", "--seed", "7", "--profile", .. Model, "--out", _folder["clip.gif"]];
        var (code, output, error) = await CliProcess.RunAsync(generate);
        Assert.True(code == 0, error);
        Assert.Equal(_folder["clip.gif"], output.Trim());
        Assert.Matches(@"Denoising: 2 calls of the UNet, 0\.\d+ TFLOP and \d+\.\d+ s each, \d+\.\d GFLOP/s\n.*\n  convolutions +\d+ ", error);
        Assert.Contains("Decoding: 1 call of the VAE", error);

        (code, _, error) = await CliProcess.RunAsync([.. generate, "--device", "cuda"]);
        Assert.Equal(2, code);
        Assert.Contains("--profile measures on the CPU", error);
    }
}
