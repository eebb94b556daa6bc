using System.Buffers;
using System.Net;
using System.Net.Http.Headers;

namespace AnimateDiff.Hub;

/// <summary>
/// Brings one blob into the cache. Large files come as ranges over several connections, appended in order, so that the unfinished
/// file never has a gap and any later run, also Python's, may go on from its length.
/// </summary>
internal sealed class BlobDownload(
    HubTransport transport, HubListing listing, HubOptions options, HubReference reference, HubFile file, Uri address, SemaphoreSlim slots, Action<long> moved)
{
    // `address` is the file's at the hub, `slots` bounds requests (and range buffers) over all files, `moved` hears of bytes received, negative when thrown away.
    private const int Downloads = 3;
    private long _received;

    // Signed and short-lived: used for the ranges that follow, forgotten at the first failure.
    private volatile Uri? _storage;

    /// <summary>Fetches into <paramref name="incomplete"/>, verifies size and hash, and only then gives the file its final name.</summary>
    public async Task RunAsync(string incomplete, string blob, CancellationToken cancellationToken)
    {
        for (var download = 1; ; download++)
        {
            var wrong = await FetchAsync(incomplete, cancellationToken);
            if (wrong is null)
                break;
            File.Delete(incomplete);
            Forget();
            if (download == Downloads)
                throw new HubException(HubFailure.Damaged, reference.Repository,
                    $"{file.Name} of {reference.Repository} arrived damaged {Downloads} times: {wrong}; try again later or from another network.");
        }
        File.Move(incomplete, blob, overwrite: true);
    }

    /// <summary>Null, or what is wrong with what was fetched.</summary>
    private async Task<string?> FetchAsync(string incomplete, CancellationToken cancellationToken)
    {
        using var writer = BlobWriter.Open(incomplete, file, cancellationToken);
        Count(writer.Length);
        try
        {
            try
            {
                await ReadRangesAsync(writer, cancellationToken);
            }
            catch (RangesRefusedException)
            {
                await ReadWholeAsync(writer, cancellationToken);
            }
            return writer.Finish();
        }
        catch (DamagedException e)
        {
            return e.Message;
        }
    }

    private async Task ReadRangesAsync(BlobWriter writer, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var chunks = new Queue<Chunk>();
        var next = writer.Length;
        // Only when the first range is answered is it known that the server has ranges.
        var answered = false;
        try
        {
            while (writer.Length < file.Size)
            {
                if (chunks.Count == 0)
                {
                    await slots.WaitAsync(cancellationToken);
                    chunks.Enqueue(Start());
                }
                while (answered && next < file.Size && slots.Wait(0, CancellationToken.None))
                    chunks.Enqueue(Start());
                await chunks.Peek().Reading;
                answered = true;
                writer.Append(chunks.Peek().Received);
                chunks.Dequeue().Release(slots);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(chunks.Select(chunk => chunk.Reading)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Keep(writer, chunks);
        }

        Chunk Start()
        {
            var chunk = new Chunk(next, (int)Math.Min(options.ChunkBytes, file.Size - next));
            next += chunk.Length;
            chunk.Reading = ReadChunkAsync(chunk, stop.Token);
            return chunk;
        }
    }

    /// <summary>After a failure or cancellation: what arrived without a gap is written, the rest is lost.</summary>
    private void Keep(BlobWriter writer, Queue<Chunk> chunks)
    {
        var gap = false;
        foreach (var chunk in chunks)
        {
            if (!gap)
                writer.Append(chunk.Received);
            gap |= chunk.Got < chunk.Length;
            chunk.Release(slots);
        }
    }

    private Task ReadChunkAsync(Chunk chunk, CancellationToken cancellationToken) => transport.RetryAsync(reference.Repository, async () =>
    {
        var whole = chunk.Length == file.Size;
        var from = chunk.From + chunk.Got;
        using var response = await OpenAsync(whole && from == 0 ? null : new RangeHeaderValue(from, chunk.From + chunk.Length - 1), cancellationToken);
        if (response.Status == HttpStatusCode.OK)
        {
            if (!whole)
                throw new RangesRefusedException();
            Count(-chunk.Got);
            chunk.Got = 0;
        }
        else if (response.ContentHeaders.ContentRange?.From != from)
            throw new DamagedException($"bytes from {response.ContentHeaders.ContentRange?.From} instead of from {from}");
        while (chunk.Got < chunk.Length)
        {
            var read = await ReadAsync(response, chunk.Rest, cancellationToken);
            chunk.Got += read;
            Count(read);
        }
        return true;
    }, () => chunk.Got, cancellationToken);

    /// <summary>From a server without ranges a file can only be had in one piece, from the start at every cut.</summary>
    private async Task ReadWholeAsync(BlobWriter writer, CancellationToken cancellationToken)
    {
        await slots.WaitAsync(cancellationToken);
        var buffer = ArrayPool<byte>.Shared.Rent(1 << 20);
        try
        {
            await transport.RetryAsync(reference.Repository, async () =>
            {
                Forget();
                writer.Restart();
                using var response = await OpenAsync(null, cancellationToken);
                while (writer.Length < file.Size)
                {
                    var read = await ReadAsync(response, buffer.AsMemory(0, (int)Math.Min(buffer.Length, file.Size - writer.Length)), cancellationToken);
                    writer.Append(buffer.AsSpan(0, read));
                    Count(read);
                }
                return true;
            }, () => 0, cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            slots.Release();
        }
    }

    private async Task<HubResponse> OpenAsync(RangeHeaderValue? range, CancellationToken cancellationToken)
    {
        var known = _storage;
        _storage = null;
        var response = await transport.GetAsync(known ?? address, reference.Repository, range, cancellationToken);
        try
        {
            var total = response.Status == HttpStatusCode.OK ? response.ContentHeaders.ContentLength : response.ContentHeaders.ContentRange?.Length;
            var tells = response.Status is HttpStatusCode.OK or HttpStatusCode.PartialContent or HttpStatusCode.RequestedRangeNotSatisfiable;
            if (tells && total is not null && total != file.Size)
                throw new DamagedException($"{total} bytes instead of {file.Size}");
            if (response.Status is HttpStatusCode.OK or HttpStatusCode.PartialContent)
            {
                _storage = response.Address;
                return response;
            }
            // A storage server refuses an address whose signature has run out: ask the hub for a new one.
            if (response.Address.Host != address.Host || response.Address.Port != address.Port)
                throw new TransientException($"{response.Address.Host} answers {(int)response.Status}");
            throw listing.Refused(response.Status, response.Header("X-Error-Code"), reference);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private async Task<int> ReadAsync(HubResponse response, Memory<byte> into, CancellationToken cancellationToken)
    {
        try
        {
            var read = await response.ReadAsync(into, cancellationToken);
            return read > 0 ? read : throw new TransientException($"the connection to {response.Address.Host} was cut");
        }
        catch (TransientException)
        {
            _storage = null;
            throw;
        }
    }

    private void Count(long bytes)
    {
        Interlocked.Add(ref _received, bytes);
        moved(bytes);
    }

    private void Forget() => moved(-Interlocked.Exchange(ref _received, 0));

    /// <summary>A range under way: <see cref="Got"/> of <see cref="Length"/> bytes from <see cref="From"/> on have arrived.</summary>
    private sealed class Chunk(long from, int length)
    {
        private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(length);

        public long From => from;

        public int Length => length;

        public int Got { get; set; }

        public Task Reading { get; set; } = Task.CompletedTask;

        public ReadOnlySpan<byte> Received => _buffer.AsSpan(0, Got);

        public Memory<byte> Rest => _buffer.AsMemory(Got, length - Got);

        public void Release(SemaphoreSlim slots)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            slots.Release();
        }
    }
}
