using AnimateDiff.Sampling;
using AnimateDiff.Tests.Text;

namespace AnimateDiff.Tests.Sampling;

public class PromptTravelTests
{
    private const string First = "A painting of a squirrel eating a burger, 4k";
    private const string Second = "masterpiece, a corgi running on the beach at sunset";
    private const string Third = "two people holding hands in a field with wind turbines";

    private static readonly PipelineOptions Models = new() { Base = Goldens.Model("nano-sd15"), Motion = Goldens.Model("motion-v2.safetensors") };

    /// <summary>The case pipe-prompt-travel has prompts at 0, 8 and 15 of 16 frames.</summary>
    [Fact]
    public void Between_two_prompts_the_embeddings_lie_on_a_line_and_after_the_last_they_stay()
    {
        using var scope = NewDisposeScope();
        using var parts = PipelineParts.Load(Models, RecordedTokenizer.Load(), null, CancellationToken.None);
        var request = new GenerationRequest(First, Second) { NegativePrompts = [Second, Third], PromptsAt = [new(13, Third), new(8, Second)] };

        using var travel = PromptTravel.Encode(parts.Prompts, request, 16);
        using var alone = parts.Prompts.Encode([First, Second, Third], [Second, Third, Third]);

        var halves = travel.Embeddings(null).unflatten(0, 2, 2, 16);        // [2, B, F, L, D], the negative half first
        var rows = halves[1];
        for (var clip = 0; clip < 2; clip++)
        {
            for (var frame = 0; frame < 16; frame++)
            {
                var (from, to, share) = frame < 8 ? (clip, 1, frame / 8f) : frame < 13 ? (1, 2, (frame - 8) / 5f) : (2, 2, 0f);
                var expected = alone.Positive[from] * (1 - share) + alone.Positive[to] * share;
                Assert.InRange(Goldens.Difference(rows[clip][frame], expected), 0, share == 0 ? 0 : 1e-6);
                Assert.Equal(0, Goldens.Difference(halves[0][clip][frame], alone.Negative![clip]));
            }
        }
    }

    [Fact]
    public void The_text_of_some_frames_is_theirs_in_that_of_all()
    {
        using var scope = NewDisposeScope();
        using var parts = PipelineParts.Load(Models, RecordedTokenizer.Load(), null, CancellationToken.None);
        var request = new GenerationRequest(First, Second) { NegativePrompts = [Third], PromptsAt = [new(5, Third)] };
        using var travel = PromptTravel.Encode(parts.Prompts, request, 8);
        Assert.Equal(4, travel.Clips);
        long[] frames = [6, 0, 3];
        var expected = travel.Embeddings(null).unflatten(0, 4, 8).index_select(1, tensor(frames)).flatten(0, 1);
        Assert.InRange(Goldens.Difference(travel.Embeddings(frames), expected), 0, 1e-6);

        using var all = new ClipText(travel, 8, byWindow: false, (embeddings, _) => parts.UNet.Prepare(embeddings));
        using var few = new ClipText(travel, 8, byWindow: true, (embeddings, _) => parts.UNet.Prepare(embeddings));
        foreach (var (clips, window) in ((long, long[]?)[])[(4, frames), (2, frames), (2, null)])
        {
            using var from = all.At(clips, window);
            using var each = few.At(clips, window);
            var layer = parts.UNet.CrossAttentions[0];
            Assert.Equal(clips * (window?.Length ?? 8), each.Rows);
            Assert.InRange(Goldens.Difference(each.For(layer).Key, from.For(layer).Key), 0, 1e-4);
        }
    }

    /// <summary>A travel between equal texts is no travel: one row for each frame gives what one row for the clip gives.</summary>
    [Fact]
    public async Task A_prompt_that_becomes_itself_changes_nothing_and_another_one_does()
    {
        using var pipeline = await AnimateDiffPipeline.LoadAsync(Models, RecordedTokenizer.Load());
        var request = new GenerationRequest(First) { Frames = 4, Steps = 2, Seed = 3 };
        async Task<Tensor> Latents(GenerationRequest asked)
        {
            var (latents, frames) = await pipeline.GenerateTensorsAsync(asked, AnimateDiff.Noise.Scheduler.Create("ddim", null, 2));
            frames.Dispose();
            return latents;
        }
        using var still = await Latents(request);
        using var same = await Latents(request with { PromptsAt = [new(3, First)] });
        using var other = await Latents(request with { PromptsAt = [new(3, Second)] });
        Assert.InRange(Goldens.Difference(same, still), 0, 1e-4);
        Assert.InRange(Goldens.Difference(other, still), 1e-2, double.MaxValue);
    }

    [Theory]
    [InlineData(0, "frame 0, where the prompt itself is")]
    [InlineData(16, "the clip has 16 frames, so that expected is 1 to 15")]
    [InlineData(5, "Frame 5 has 2 prompts")]
    public void A_frame_without_room_is_refused(int frame, string message) =>
        Assert.Contains(message, Assert.Throws<RequestException>(() => PromptTravel.Check([new(5, Second), new(frame, Third)], 16)).Message);

    [Theory]
    [InlineData("8:a red ball: round", 8, "a red ball: round")]
    [InlineData("12: b", 12, "b")]
    public void Text_for_a_frame_is_read(string text, int frame, string prompt) => Assert.Equal(new PromptAt(frame, prompt), PromptAt.Parse(text));

    [Theory]
    [InlineData("a red ball")]
    [InlineData(":a")]
    [InlineData("-1:a")]
    [InlineData("1.5:a")]
    public void Text_without_a_frame_is_refused(string text) => Assert.Contains("FRAME:TEXT", Assert.Throws<RequestException>(() => PromptAt.Parse(text)).Message);
}
