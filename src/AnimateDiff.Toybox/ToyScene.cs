using System.Text.Json.Serialization;

namespace AnimateDiff.Toybox;

/// <summary>What is seen.</summary>
internal enum ToyShape { Ball, Box, Triangle, Star, Heart }

/// <summary>Its colour.</summary>
internal enum ToyColour { Red, Orange, Yellow, Green, Blue, Purple, Pink, White }

/// <summary>Where it is.</summary>
internal enum ToyBackground { Day, Night, Grass, Desert }

/// <summary>What it does.</summary>
internal enum ToyMovement { Still, Left, Right, Up, Down, Bounce, Spin, Grow, Shrink }

/// <summary>One little story: a shape that moves before a background, and the words for it. Lengths are in 1/64 of the picture's side, y downwards.</summary>
/// <param name="Shape">The shape.</param>
/// <param name="Colour">Its colour.</param>
/// <param name="Background">The background.</param>
/// <param name="Movement">The movement.</param>
/// <param name="PlaceNamed">Whether the caption names the background.</param>
/// <param name="X">Centre at the begin, from the left.</param>
/// <param name="Y">Centre at the begin, from the top.</param>
/// <param name="Radius">Half its width, 8…12; what <see cref="ToyMovement.Grow"/> and <see cref="ToyMovement.Shrink"/> scale.</param>
/// <param name="Distance">How far it moves within the clip, or how high it bounces; 0 for movements on the spot.</param>
/// <param name="Angle">Turned clockwise by so many degrees at the begin.</param>
internal sealed record ToyScene(
    ToyShape Shape, ToyColour Colour, ToyBackground Background, ToyMovement Movement, bool PlaceNamed,
    double X, double Y, double Radius, double Distance, double Angle)
{
    /// <summary>Side of the picture in the scene's unit.</summary>
    public const double Side = 64;

    private const double Margin = 1.5, SpinTurn = 270, SmallSize = 0.55, LargeSize = 1.25;

    // Between one after-image and the next.
    private const double TrailLength = 4, TrailTurn = 20, TrailSize = 0.16;

    /// <summary>The scene of a number: always the same one.</summary>
    /// <param name="seed">Which world.</param>
    /// <param name="index">Which of its scenes.</param>
    /// <param name="movement">The movement, or null to draw it as well.</param>
    public static ToyScene Draw(ulong seed, long index, ToyMovement? movement = null)
    {
        var random = new ToyRandom(seed, index);
        var does = movement ?? random.Pick<ToyMovement>(3);
        var radius = random.Between(5, 8, 12);
        var reach = Margin + radius * (does is ToyMovement.Grow or ToyMovement.Shrink ? LargeSize : 1.1);               // a turned box sticks out
        var room = Side - 2 * reach;
        var distance = does switch
        {
            ToyMovement.Left or ToyMovement.Right or ToyMovement.Up or ToyMovement.Down => Math.Min(random.Between(6, 28, 38), room),
            ToyMovement.Bounce => Math.Min(random.Between(6, 20, 28), room),
            _ => 0,
        };
        var (x, y) = (reach + random.Uniform(7) * room, reach + random.Uniform(8) * room);
        var start = reach + random.Uniform(9) * (room - distance);                                                      // along the way
        (x, y) = does switch
        {
            ToyMovement.Right => (start, y),
            ToyMovement.Left => (Side - start, y),
            ToyMovement.Down => (x, start),
            ToyMovement.Up => (x, Side - start),
            ToyMovement.Bounce => (x, Side - reach - 0.3 * random.Uniform(9) * (room - distance)),                      // it begins on the ground
            _ => (x, y),
        };
        var angle = does == ToyMovement.Spin ? random.Between(10, 0, 360) : random.Between(10, -15, 15);
        return new ToyScene(random.Pick<ToyShape>(0), random.Pick<ToyColour>(1), random.Pick<ToyBackground>(2), does, random.Uniform(4) >= 0.3,
            x, y, radius, distance, angle);
    }

    /// <summary>What is said about it, such as "a red ball moves left on grass".</summary>
    [JsonIgnore]
    public string Caption => $"a {Colour} {Shape} {Phrase(Movement)}".ToLowerInvariant() + (PlaceNamed ? $" {Place(Background)}" : "");

    /// <summary>The words for a movement.</summary>
    public static string Phrase(ToyMovement movement) => movement switch
    {
        ToyMovement.Still => "stays still",
        ToyMovement.Left or ToyMovement.Right or ToyMovement.Up or ToyMovement.Down => $"moves {movement}".ToLowerInvariant(),
        ToyMovement.Bounce => "bounces",
        ToyMovement.Spin => "spins",
        ToyMovement.Grow => "grows",
        _ => "shrinks",
    };

    /// <summary>The words for a background.</summary>
    public static string Place(ToyBackground background) => background switch
    {
        ToyBackground.Day => "in the day",
        ToyBackground.Night => "at night",
        ToyBackground.Grass => "on grass",
        _ => "in the desert",
    };

    /// <summary>Where the shape is.</summary>
    /// <param name="time">0 at the begin of the clip, 1 at its end.</param>
    /// <param name="back">Not then but so many after-images before; the movement is thought to have begun before the clip.</param>
    public ToyPose PoseAt(double time, int back = 0)
    {
        var (x, y, radius, angle) = (X, Y, Radius, Angle);
        var way = Distance * time - back * TrailLength;
        switch (Movement)
        {
            case ToyMovement.Left: x -= way; break;
            case ToyMovement.Right: x += way; break;
            case ToyMovement.Up: y -= way; break;
            case ToyMovement.Down: y += way; break;
            case ToyMovement.Bounce: y -= Height(time, back * TrailLength); break;
            case ToyMovement.Spin: angle += SpinTurn * time - back * TrailTurn; break;
            case ToyMovement.Grow: radius *= (SmallSize + (LargeSize - SmallSize) * time) * (1 - back * TrailSize); break;
            case ToyMovement.Shrink: radius *= (LargeSize + (SmallSize - LargeSize) * time) * (1 + back * TrailSize); break;
        }
        return new ToyPose(x, y, radius, angle);
    }

    /// <summary>Height over the ground of something that bounces twice within the clip, when its way was <paramref name="shorter"/> yet.</summary>
    private double Height(double time, double shorter)
    {
        var quarter = Math.Floor(time * 4);                                                                             // up, down, up, down
        var turned = Math.Abs(Math.Sin(2 * Math.PI * time)) * Distance;
        var way = quarter * Distance + (quarter % 2 == 0 ? turned : Distance - turned) - shorter;
        var folded = (way % (2 * Distance) + 2 * Distance) % (2 * Distance);
        return folded < Distance ? folded : 2 * Distance - folded;
    }
}

/// <summary>A shape at one moment, in the unit of <see cref="ToyScene"/>.</summary>
/// <param name="X">Centre from the left.</param>
/// <param name="Y">Centre from the top.</param>
/// <param name="Radius">Half its width.</param>
/// <param name="Angle">Turned clockwise, in degrees.</param>
internal readonly record struct ToyPose(double X, double Y, double Radius, double Angle);
