using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;

namespace AnimateDiff.Hub;

/// <summary>GET requests with what public networks need: redirects that do not leak the token, stalls noticed, failures tried again.</summary>
internal sealed class HubTransport(HubOptions options, TimeProvider time) : IDisposable
{
    private const int MaxRedirects = 10;
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    // Redirects are followed here, not by the handler: it drops the token on every one, also on those from a renamed repository to its new name.
    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = TimeSpan.FromSeconds(15),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        MaxResponseHeadersLength = 256,
    })
    { Timeout = Timeout.InfiniteTimeSpan };

    private volatile bool _reached;

    /// <summary>
    /// Runs <paramref name="attempt"/> until it does not end in a <see cref="TransientException"/>. Pauses double from half a second; a server that says
    /// how long to wait is obeyed. Failures only count in a row: <paramref name="progress"/> having grown since the last one starts anew.
    /// </summary>
    public async Task<T> RetryAsync<T>(string repository, Func<Task<T>> attempt, Func<long> progress, CancellationToken cancellationToken)
    {
        var best = progress();
        for (var failures = 1; ; failures++)
        {
            try
            {
                return await attempt();
            }
            catch (TransientException e)
            {
                if (progress() > best)
                    (best, failures) = (progress(), 1);
                // A hub that has never answered is most likely out of reach altogether: say so soon.
                var allowed = _reached ? options.Retries : Math.Min(options.Retries, 1);
                if (failures > allowed || e.RetryAfter > LongestPause)
                    throw GivenUp(repository, e, failures);
                var pause = FirstPause * Math.Pow(2, failures - 1);
                await Task.Delay(e.RetryAfter > pause ? e.RetryAfter.Value : pause, time, cancellationToken);
            }
        }
    }

    /// <summary>The last response of a chain of redirects, whatever its status; the body is still to be read.</summary>
    /// <exception cref="TransientException">No connection, no answer in time, or a status that may pass (408, 429, 5xx).</exception>
    public async Task<HubResponse> GetAsync(Uri uri, string repository, RangeHeaderValue? range, CancellationToken cancellationToken)
    {
        for (var hops = 0; ; hops++)
        {
            var response = await SendAsync(uri, repository, range, cancellationToken);
            _reached = true;
            var status = (int)response.StatusCode;
            if (status is 301 or 302 or 303 or 307 or 308 && response.Headers.Location is { } location)
            {
                response.Dispose();
                var next = new Uri(uri, location);
                if (next.Scheme is not ("http" or "https") || (uri.Scheme == "https" && next.Scheme == "http") || hops == MaxRedirects)
                    throw new HubException(HubFailure.Unsafe, repository, hops == MaxRedirects ? $"{uri.Host} redirects in circles; check HF_ENDPOINT."
                        : $"{uri.Host} redirects to {next.Scheme}://{next.Host}, which is no secure connection and not followed; check HF_ENDPOINT.");
                uri = next;
                continue;
            }
            if (status is not (408 or 429 or >= 500))
                return new HubResponse(response, uri, options.StallTimeout, time);
            var retryAfter = response.Headers.RetryAfter is { } header ? header.Delta ?? header.Date - time.GetUtcNow() : null;
            response.Dispose();
            throw new TransientException($"{uri.Host} answers {status}", retryAfter);
        }
    }

    /// <summary>Size and hash of a file by its headers, before any redirect to where its bytes are; null for what they do not say.</summary>
    /// <exception cref="TransientException">No connection, no answer in time, or a status that may pass (408, 429, 5xx).</exception>
    public async Task<(long? Size, string? Etag)> DescribeAsync(Uri uri, string repository, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(uri, repository, null, cancellationToken, HttpMethod.Head);
        if ((int)response.StatusCode is 408 or 429 or >= 500)
            throw new TransientException($"{uri.Host} answers {(int)response.StatusCode}");
        string? Header(string name) => response.Headers.TryGetValues(name, out var values) ? values.First() : null;
        var size = Header("X-Linked-Size") is { } linked ? long.TryParse(linked, out var length) ? length : null : response.Content.Headers.ContentLength;
        return (size, (Header("X-Linked-Etag") ?? Header("ETag"))?.Replace("W/", "").Trim('"'));
    }

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> SendAsync(Uri uri, string repository, RangeHeaderValue? range, CancellationToken cancellationToken, HttpMethod? method = null)
    {
        using var request = new HttpRequestMessage(method ?? HttpMethod.Get, uri);
        request.Headers.UserAgent.ParseAdd("AnimateDiff.NET");
        request.Headers.AcceptEncoding.ParseAdd("identity");
        request.Headers.Range = range;
        if (options.Token is { } token && (uri.Scheme, uri.Host, uri.Port) == (options.Endpoint.Scheme, options.Endpoint.Host, options.Endpoint.Port))
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        using var stall = new CancellationTokenSource(options.StallTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stall.Token, cancellationToken);
        try
        {
            return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
        }
        catch (HttpRequestException e) when (e.InnerException is AuthenticationException tls)
        {
            throw new HubException(HubFailure.Unreachable, repository,
                $"The certificate of {uri.Host} is not trusted ({tls.Message.TrimEnd('.')}); behind a company proxy, install its root certificate.", e);
        }
        catch (HttpRequestException e)
        {
            throw new TransientException($"{uri.Host} cannot be reached ({e.Message.TrimEnd('.')})", inner: e);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TransientException($"{uri.Host} does not answer within {options.StallTimeout.TotalSeconds:0} s");
        }
    }

    private HubException GivenUp(string repository, TransientException e, int failures)
    {
        var advice = !_reached ? "check the network and HF_ENDPOINT, or set HF_HUB_OFFLINE=1 to use cached files only"
            : e.RetryAfter is { } pause ? $"run the same command in {pause.TotalSeconds:0} s, it goes on where it stopped"
            : "run the same command later, it goes on where it stopped";
        var times = failures > 1 ? $", {failures} times in a row" : "";
        return new HubException(HubFailure.Unreachable, repository, $"{repository} cannot be pulled from {options.Endpoint.Host}: {e.Message}{times}; {advice}.", e);
    }
}

/// <summary>A response whose body is read with a limit on silence.</summary>
internal sealed class HubResponse(HttpResponseMessage message, Uri address, TimeSpan stallTimeout, TimeProvider time) : IDisposable
{
    private readonly CancellationTokenSource _stall = new(Timeout.InfiniteTimeSpan, time);
    private Stream? _body;

    public HttpStatusCode Status => message.StatusCode;

    /// <summary>Where it came from in the end.</summary>
    public Uri Address => address;

    public HttpContentHeaders ContentHeaders => message.Content.Headers;

    public string? Header(string name) => message.Headers.TryGetValues(name, out var values) ? values.First() : null;

    /// <summary>Reads what has arrived; 0 at the end of the body.</summary>
    /// <exception cref="TransientException">The connection was cut or fell silent.</exception>
    public async Task<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        _stall.CancelAfter(stallTimeout);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_stall.Token, cancellationToken);
        try
        {
            _body ??= await message.Content.ReadAsStreamAsync(either.Token);
            return await _body.ReadAsync(buffer, either.Token);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new TransientException($"the connection to {address.Host} was cut", inner: e);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TransientException($"{address.Host} sent nothing for {stallTimeout.TotalSeconds:0} s");
        }
        finally
        {
            _stall.CancelAfter(Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose()
    {
        message.Dispose();
        _stall.Dispose();
    }
}
