using System.Text.Json.Serialization;

namespace AnimateDiff;

/// <summary>Pictures as a prompt beside the words, shown to the model by an IP-Adapter: the clip takes over what they show and how.</summary>
/// <param name="IPAdapter">The IP-Adapter, plain or plus: its file, or a folder with <c>ip-adapter.safetensors</c>.</param>
/// <param name="Images">One or more picture files, which the model sees together.</param>
/// <param name="Scale">
/// Weight of the pictures beside the words; 0 is off, 1 is usual without words, 0.5 to 0.8 with them. A range of frames is a curve such as <c>0:1,7:1,8:0</c>.
/// </param>
[method: JsonConstructor]
public sealed record ImagePrompt(string IPAdapter, IReadOnlyList<string> Images, Curve Scale)
{
    /// <summary>Pictures with the weight 1.</summary>
    /// <param name="ipAdapter">The IP-Adapter.</param>
    /// <param name="images">The pictures.</param>
    public ImagePrompt(string ipAdapter, IReadOnlyList<string> images) : this(ipAdapter, images, 1)
    {
    }

    /// <summary>Folder of the CLIP vision model that the adapter was made for. Null: <c>image_encoder</c> beside the adapter.</summary>
    public string? Encoder { get; init; }

    /// <summary>Pairs adapters with pictures: one adapter sees all pictures together, several see one each.</summary>
    /// <param name="adapters">Adapters as <c>PATH[:CURVE]</c>.</param>
    /// <param name="images">Pictures.</param>
    /// <param name="encoder">See <see cref="Encoder"/>.</param>
    /// <exception cref="RequestException">They do not pair.</exception>
    public static IReadOnlyList<ImagePrompt> Pair(IReadOnlyList<string> adapters, IReadOnlyList<string> images, string? encoder = null)
    {
        if (adapters.Count == 0 && images.Count > 0)
            throw new RequestException("An image prompt needs the IP-Adapter that shows it to the model: give one with --ip-adapter.");
        if (adapters.Count == 0 && encoder is not null)
            throw new RequestException($"The image encoder {encoder} is given and no IP-Adapter that uses it: give one with --ip-adapter, and a picture with --ip-image.");
        if (adapters.Count > 0 && images.Count == 0)
            throw new RequestException($"The IP-Adapter {adapters[0]} has no picture to show: give one with --ip-image.");
        if (adapters.Count > 1 && adapters.Count != images.Count)
            throw new RequestException($"{adapters.Count} IP-Adapters and {images.Count} pictures do not pair: give one adapter for all pictures, or as many as pictures.");
        var parsed = adapters.Select(text => Adapter.Parse(AdapterRole.Lora, text));
        return [.. parsed.Select((adapter, index) => new ImagePrompt(adapter.Path, adapters.Count == 1 ? images : [images[index]], adapter.Scale) { Encoder = encoder })];
    }

    /// <summary>Its weight in each frame of a clip, in a step of so many.</summary>
    internal float[] WeightsOf(int frames, int step, int steps) => Scale.AtStep(step, steps).InFrames(frames);

    internal void Validate()
    {
        if (!Scale.IsFinite)
            throw new RequestException($"The IP-Adapter {IPAdapter} cannot have the scale {Scale}: expected a number, usually 0 to 1.");
        if (Images.Count == 0)
            throw new RequestException($"The IP-Adapter {IPAdapter} has no picture to show: give at least one.");
    }
}
