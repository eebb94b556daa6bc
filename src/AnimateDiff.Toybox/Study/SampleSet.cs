namespace AnimateDiff.Toybox.Study;

/// <summary>Which scenes are asked for.</summary>
internal enum SampleSet
{
    /// <summary>All movements, as in the training data.</summary>
    Any,

    /// <summary>Left, right, up and down, as many of each.</summary>
    Ways,

    /// <summary>Shapes that stay still, so that only the camera moves.</summary>
    Still,
}

/// <summary>The scenes of a sample set.</summary>
internal static class SampleSets
{
    /// <summary>The directions, in the order in which <see cref="SampleSet.Ways"/> asks for them.</summary>
    public static readonly ToyMovement[] Directions = [ToyMovement.Left, ToyMovement.Right, ToyMovement.Up, ToyMovement.Down];

    private const int FirstWorld = 1000;                                                                                // the data set's are 0…4

    /// <summary>A scene: its caption is the prompt, and drawn it is what the prompt means.</summary>
    public static ToyScene Scene(this SampleSet set, ulong seed, int index) => ToyScene.Draw(new ToyRandom(seed, FirstWorld + (int)set).Child(), index, set switch
    {
        SampleSet.Ways => Directions[index % Directions.Length],
        SampleSet.Still => ToyMovement.Still,
        _ => null,
    });
}
