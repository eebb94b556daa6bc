using AnimateDiff.Hub;

namespace AnimateDiff.Tests.Hub;

public sealed class HubSoakTests
{
    /// <summary>Thirty seeded mixtures of everything that goes wrong; which request meets which fault is up to the scheduler.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(20)]
    public async Task Whatever_goes_wrong_the_files_arrive_whole(int firstSeed)
    {
        for (var seed = firstSeed; seed < firstSeed + 10; seed++)
            await RunAsync(seed);
    }

    private static async Task RunAsync(int seed)
    {
        var random = new Random(seed);
        var files = Enumerable.Range(0, 5).ToDictionary(i => $"part{i}/weights.safetensors",
            i => FakeHub.Bytes(random.Next(2) == 0 ? random.Next(1, 3000) : random.Next(100_000, 900_000), (seed * 10) + i));
        var (chunk, damages) = (1 << random.Next(12, 18), 3);
        await using var hub = new FakeHub(files);
        hub.OnHub = request => Fault(request, () => hub.AnswerHub(request));
        hub.OnStorage = request => Fault(request, () => hub.AnswerStorage(request));
        for (var run = 0; ; run++)
        {
            Assert.True(run < 20, $"Schedule {seed} does not come to an end.");
            using var kill = new CancellationTokenSource();
            var killAt = long.MaxValue;
            lock (random)
                killAt = random.Next(4) == 0 ? random.Next(1_000_000) : killAt;
            try
            {
                await hub.PullAsync(with: options => options with { ChunkBytes = chunk, Retries = 12 }, progress: new Reports(report =>
                {
                    if (report.BytesDone > killAt)
                        kill.Cancel();
                }), cancellationToken: kill.Token);
                break;
            }
            catch (Exception e) when (e is OperationCanceledException || (e is HubException { Failure: HubFailure.Damaged or HubFailure.Unreachable }))
            {
                Assert.False(Directory.Exists(hub.SnapshotFolder), "A pull that failed published a snapshot.");
            }
        }
        hub.AssertComplete([.. files.Keys]);

        StubAnswer? Fault(StubRequest request, Func<StubAnswer> right)
        {
            lock (random)
                return random.Next(4) != 0 ? null : random.Next(6) switch
                {
                    0 => new StubAnswer(503),
                    1 => new StubAnswer(429, Headers: ("Retry-After", "3")),
                    2 when request.Range is not null => right() with { Status = 500 },
                    3 when request.Path.StartsWith("/blob/") && damages-- > 0 => Scrambled(right()),
                    _ => right() is { Body.Length: > 0 } answer ? answer with { CutAfter = random.Next(answer.Body.Length) } : null,
                };
        }
    }

    private static StubAnswer Scrambled(StubAnswer answer)
    {
        var bytes = answer.Body.ToArray();
        bytes[bytes.Length / 2] ^= 1;
        return answer with { Body = bytes };
    }
}
