using AnimateDiff.Noise;

namespace AnimateDiff.Tests.Noise;

public class InitialLatentsTests
{
    [Fact]
    public void One_generator_draws_the_whole_batch_at_once()
    {
        using var scope = NewDisposeScope();
        using var generator = InitialLatents.Seeded(42);
        using var same = InitialLatents.Seeded(42);
        var latents = InitialLatents.Draw(generator, 2, 3, 4, 5, 2.5);
        Assert.Equal([2, 4, 3, 4, 5], latents.shape);
        Assert.Equal(0, Goldens.Difference(latents, randn([2, 4, 3, 4, 5], generator: same) * 2.5));
    }

    [Fact]
    public void Seeds_give_each_video_what_it_gets_alone()
    {
        using var scope = NewDisposeScope();
        // official configurations have seeds above 2^63
        ulong[] seeds = [16_931_037_867_122_267_877, 3];
        var latents = InitialLatents.Draw(seeds, 3, 4, 5, 1);
        for (var i = 0; i < seeds.Length; i++)
        {
            using var generator = InitialLatents.Seeded(seeds[i]);
            Assert.Equal(0, Goldens.Difference(latents[i], InitialLatents.Draw(generator, 1, 3, 4, 5, 1)[0]));
        }
    }

    [Fact]
    public void Seed_above_the_signed_range_is_the_same_as_its_bits()
    {
        using var scope = NewDisposeScope();
        using var generator = InitialLatents.Seeded(16_931_037_867_122_267_877);
        using var signed = new Generator().manual_seed(unchecked((long)16_931_037_867_122_267_877));
        Assert.Equal(0, Goldens.Difference(randn([8], generator: generator), randn([8], generator: signed)));
    }
}
