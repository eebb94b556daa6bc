using System.Text.Json.Serialization;

namespace AnimateDiff;

/// <summary>How an image model comes to make a clip.</summary>
public enum GenerationMethod
{
    /// <summary>AnimateDiff: with a motion module that was trained on videos.</summary>
    [JsonStringEnumMemberName("animatediff")]
    AnimateDiff,

    /// <summary>Tune-A-Video: with an image model that was tuned on one video.</summary>
    [JsonStringEnumMemberName("tune-a-video")]
    TuneAVideo,

    /// <summary>Text2Video-Zero: with the image model as it is, whose latents are moved on the way; see <see cref="ZeroShot"/>.</summary>
    [JsonStringEnumMemberName("text2video-zero")]
    Text2VideoZero,
}
