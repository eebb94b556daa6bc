using AnimateDiff.Hub;

namespace AnimateDiff.Tests.Hub;

public sealed class HubReferenceTests
{
    [Theory]
    [InlineData("guoyww/animatediff-motion-adapter-v1-5-2", "guoyww/animatediff-motion-adapter-v1-5-2", "main", "")]
    [InlineData("SG161222/Realistic_Vision_V5.1_noVAE", "SG161222/Realistic_Vision_V5.1_noVAE", "main", "")]
    [InlineData("a/b@refs/pr/3", "a/b", "refs/pr/3", "")]
    [InlineData("a/b@v1.0:x.ckpt, sub/y.bin,unet/", "a/b", "v1.0", "x.ckpt|sub/y.bin|unet")]
    [InlineData("a/b:x@y.ckpt", "a/b", "main", "x@y.ckpt")]
    public void References_are_read_in_full(string text, string repository, string revision, string files)
    {
        Assert.True(HubReference.TryParse(text, out var reference));
        Assert.Equal((repository, revision, files), (reference.Repository, reference.Revision, string.Join('|', reference.Files)));
        Assert.True(HubReference.TryParse(reference.ToString(), out var again));
        Assert.Equal(reference.ToString(), again.ToString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("gpt2")]
    [InlineData("a/b/c")]
    [InlineData("./a/b")]
    [InlineData("../b")]
    [InlineData("a/..")]
    [InlineData("/a/b")]
    [InlineData("~/b")]
    [InlineData("a\\b")]
    [InlineData("C:/b")]
    [InlineData("a--b/c")]
    [InlineData("a/b\n")]
    [InlineData("a/b@")]
    [InlineData("a/b@../../x")]
    [InlineData("a/b:")]
    [InlineData("a/b:../x")]
    [InlineData("a/b:x,,y")]
    [InlineData("a/b:/x")]
    public void What_names_no_repository_is_refused(string? text) => Assert.False(HubReference.TryParse(text, out _));

    [Theory]
    [InlineData("owner/no-such-thing", true)]
    [InlineData("SG161222/Realistic_Vision_V5.1_noVAE", true)]
    [InlineData("models/v3_sd15_mm.ckpt", false)]
    [InlineData("models/clip.GIF", false)]
    [InlineData("owner/name:v3_sd15_mm.ckpt", true)]
    [InlineData("./owner/name", false)]
    public void Paths_are_told_from_names(string text, bool isName) => Assert.Equal(isName, HubReference.IsHubName(text, out _));

    [Fact]
    public void A_path_that_exists_wins_over_a_name()
    {
        var relative = Path.GetRelativePath(Environment.CurrentDirectory, Directory.CreateDirectory("hub-reference-test/model").FullName);
        try
        {
            Assert.True(HubReference.TryParse(relative, out _));
            Assert.False(HubReference.IsHubName(relative, out _));
        }
        finally
        {
            Directory.Delete("hub-reference-test", recursive: true);
        }
    }

    [Fact]
    public void The_cache_is_where_python_tools_have_it()
    {
        Assert.Equal("/home/u/.cache/huggingface/hub", Cache(("HOME", "/home/u")));
        Assert.Equal("/x/huggingface/hub", Cache(("HOME", "/home/u"), ("XDG_CACHE_HOME", "/x")));
        Assert.Equal("/hf/hub", Cache(("HOME", "/home/u"), ("HF_HOME", "/hf")));
        Assert.Equal("/home/u/hub", Cache(("HOME", "/home/u"), ("HF_HOME", "/hf"), ("HF_HUB_CACHE", "~/hub")));
        Assert.Equal("/data/u/hub", Cache(("HOME", "/home/u"), ("USER", "u"), ("HF_HOME", "/data/$USER")));
    }

    [Fact]
    public void Token_endpoint_and_offline_mode_come_from_the_environment()
    {
        using var home = new TempFolder();
        home.Write("token", "hf_file\n");
        Assert.Equal("hf_file", Options(("HF_HOME", home.Path)).Token);
        Assert.Equal("hf_variable", Options(("HF_HOME", home.Path), ("HF_TOKEN", "hf_variable")).Token);
        Assert.Null(Options(("HF_HOME", home.Path + "/none")).Token);
        Assert.True(Options(("HF_HUB_OFFLINE", "yes")).Offline);
        Assert.False(Options(("HF_HUB_OFFLINE", "0")).Offline);
        Assert.Equal("https", Options().Endpoint.Scheme);
        Assert.Equal("http://mirror:8080/hf/", Options(("HF_ENDPOINT", "http://mirror:8080/hf/")).Endpoint.AbsoluteUri);
        Assert.Throws<RequestException>(() => Options(("HF_ENDPOINT", "mirror")));
    }

    private static string Cache(params (string Name, string Value)[] variables) => Options(variables).CacheFolder;

    private static HubOptions Options(params (string Name, string Value)[] variables) =>
        HubOptions.FromEnvironment(name => variables.FirstOrDefault(variable => variable.Name == name).Value);
}
