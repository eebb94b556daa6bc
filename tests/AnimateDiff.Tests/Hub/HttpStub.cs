using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace AnimateDiff.Tests.Hub;

internal sealed record StubRequest(string Path, IReadOnlyDictionary<string, string> Headers)
{
    public string Method { get; init; } = "GET";

    public (long From, long To)? Range => Headers.TryGetValue("Range", out var range) && range["bytes=".Length..].Split('-') is [var from, var to]
        ? (long.Parse(from), long.Parse(to)) : null;

    public string? Token => Headers.GetValueOrDefault("Authorization");
}

/// <summary>An answer, and what goes wrong with it: cut after so many bytes of the body, or silent from there on.</summary>
internal sealed record StubAnswer(int Status, ReadOnlyMemory<byte> Body = default, int? CutAfter = null, bool Stall = false, params (string Name, string Value)[] Headers)
{
    public static StubAnswer Json(string json) => new(200, Encoding.UTF8.GetBytes(json));
}

/// <summary>HTTP/1.1 on a loopback port, down to the bytes, because real servers do not break on request.</summary>
internal sealed class HttpStub : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Task, bool> _connections = [];
    private readonly Func<StubRequest, StubAnswer> _handle;
    private readonly Task _accepting;
    private long _bodyBytes;

    public HttpStub(Func<StubRequest, StubAnswer> handle)
    {
        _handle = handle;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");

    public ConcurrentQueue<StubRequest> Requests { get; } = [];

    /// <summary>Bytes of bodies handed to the network.</summary>
    public long BodyBytes => Interlocked.Read(ref _bodyBytes);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections.Keys);
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var connection = ServeAsync(await _listener.AcceptSocketAsync(_stop.Token));
                _connections[connection] = true;
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using var _ = socket;
        socket.NoDelay = true;
        // Closing then resets the connection, as a dying server does.
        socket.LingerState = new LingerOption(true, 0);
        try
        {
            while (await ReadHeadAsync(socket) is { } request)
            {
                Requests.Enqueue(request);
                var answer = _handle(request);
                var head = new StringBuilder($"HTTP/1.1 {answer.Status} Stub\r\nContent-Length: {answer.Body.Length}\r\n");
                foreach (var (name, value) in answer.Headers)
                    head.Append($"{name}: {value}\r\n");
                await socket.SendAsync(Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()), _stop.Token);
                if (request.Method == "HEAD")
                    continue;
                var body = answer.CutAfter is { } cut ? answer.Body[..Math.Min(cut, answer.Body.Length)] : answer.Body;
                while (body.Length > 0)
                {
                    var sent = await socket.SendAsync(body[..Math.Min(body.Length, 1 << 16)], _stop.Token);
                    Interlocked.Add(ref _bodyBytes, sent);
                    body = body[sent..];
                }
                if (answer.Stall)
                    await Task.Delay(Timeout.Infinite, _stop.Token);
                if (answer.CutAfter is not null)
                {
                    // Gives the client time to read what was sent before the reset discards it.
                    await Task.Delay(20, _stop.Token);
                    return;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
        }
    }

    private async Task<StubRequest?> ReadHeadAsync(Socket socket)
    {
        var bytes = new List<byte>();
        var buffer = new byte[4096];
        while (!Encoding.ASCII.GetString([.. bytes.TakeLast(4)]).EndsWith("\r\n\r\n"))
        {
            var read = await socket.ReceiveAsync(buffer, _stop.Token);
            if (read == 0)
                return null;
            bytes.AddRange(buffer.AsSpan(0, read));
        }
        var lines = Encoding.ASCII.GetString([.. bytes]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        return new StubRequest(lines[0].Split(' ')[1],
            lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.OrdinalIgnoreCase))
        { Method = lines[0].Split(' ')[0] };
    }
}
