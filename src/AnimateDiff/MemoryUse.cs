namespace AnimateDiff;

/// <summary>What a pipeline does about memory.</summary>
public enum MemoryUse
{
    /// <summary>All models stay in memory, and what can be computed together is.</summary>
    Normal,

    /// <summary>
    /// Each model is in memory while it is used, the two halves of guidance are computed one after the other, and layers see a few frames at a time: the same
    /// clip within rounding, in less memory and more time.
    /// </summary>
    Low,
}
