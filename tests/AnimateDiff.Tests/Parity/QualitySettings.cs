using System.Text.Json;

namespace AnimateDiff.Tests.Parity;

/// <summary>FreeInit, FreeNoise, FreeU and perturbed-attention guidance as the reference cases write them.</summary>
internal static class QualitySettings
{
    public static GenerationRequest Of(JsonElement settings, GenerationRequest request)
    {
        if (settings.TryGetProperty("free_init", out var freeInit))
            request = request with { FreeInit = freeInit.GetProperty("num_iters").GetInt32() };
        if (settings.TryGetProperty("free_noise", out var freeNoise))
            request = request with { FreeNoise = new(freeNoise.GetProperty("context_length").GetInt32(), freeNoise.GetProperty("context_stride").GetInt32()) };
        if (settings.TryGetProperty("freeu", out var freeU))
            request = request with { FreeU = new(Number(freeU, "s1"), Number(freeU, "s2"), Number(freeU, "b1"), Number(freeU, "b2")) };
        if (settings.TryGetProperty("pag", out var pag))
            request = request with { PerturbedAttention = new(Number(pag, "scale"), [pag.GetProperty("applied_layers").GetString()!]) };
        return request;
    }

    private static double Number(JsonElement settings, string name) => settings.GetProperty(name).GetDouble();
}
