using System.Numerics;

namespace AnimateDiff.Toybox;

/// <summary>Signed distances from the outlines of the shapes, negative inside (after Inigo Quilez, "2D distance functions").</summary>
internal static class ToyShapes
{
    /// <summary>Distance in radii of a point from the outline of a shape of radius 1 around the origin, y downwards.</summary>
    public static float Distance(ToyShape shape, Vector2 point) => shape switch
    {
        ToyShape.Ball => point.Length() - 1,
        ToyShape.Box => Box(point, 0.82f),
        ToyShape.Triangle => Triangle(point - new Vector2(0, 0.12f), 0.95f),
        ToyShape.Star => Star(point, 1.1f, 0.48f),
        _ => Heart(point),
    };

    /// <summary>Centre of the light spot that shows how a shape is turned.</summary>
    public static Vector2 Spot(ToyShape shape) => shape switch
    {
        ToyShape.Triangle or ToyShape.Star => new(0, -0.42f),
        ToyShape.Heart => new(0.42f, -0.3f),
        _ => new(0.38f, -0.38f),
    };

    private static float Box(Vector2 point, float half)
    {
        var outside = Vector2.Abs(point) - new Vector2(half);
        return Vector2.Max(outside, Vector2.Zero).Length() + MathF.Min(MathF.Max(outside.X, outside.Y), 0);
    }

    private static float Triangle(Vector2 point, float half)
    {
        var k = MathF.Sqrt(3);
        var (x, y) = (MathF.Abs(point.X) - half, -point.Y + half / k);
        if (x + k * y > 0)
            (x, y) = ((x - k * y) / 2, (-k * x - y) / 2);
        x -= Math.Clamp(x, -2 * half, 0);
        return -MathF.Sqrt(x * x + y * y) * MathF.Sign(y);
    }

    private static float Star(Vector2 point, float radius, float inner)
    {
        Vector2 k1 = new(0.809016994f, -0.587785252f), k2 = new(-0.809016994f, -0.587785252f);
        point = new(MathF.Abs(point.X), -point.Y);
        point -= 2 * MathF.Max(Vector2.Dot(k1, point), 0) * k1;
        point -= 2 * MathF.Max(Vector2.Dot(k2, point), 0) * k2;
        point = new(MathF.Abs(point.X), point.Y - radius);
        var edge = inner * new Vector2(-k1.Y, k1.X) - new Vector2(0, 1);
        var along = Math.Clamp(Vector2.Dot(point, edge) / edge.LengthSquared(), 0, radius);
        return (point - edge * along).Length() * MathF.Sign(point.Y * edge.X - point.X * edge.Y);
    }

    private static float Heart(Vector2 point)
    {
        const float scale = 1.7f;                                                                                       // the formula's heart is 1.2 wide
        var p = new Vector2(MathF.Abs(point.X), -point.Y) / scale + new Vector2(0, 0.55f);
        if (p.X + p.Y > 1)
            return scale * ((p - new Vector2(0.25f, 0.75f)).Length() - MathF.Sqrt(2) / 4);
        var lobe = (p - new Vector2(0, 1)).LengthSquared();
        var side = (p - new Vector2(0.5f * MathF.Max(p.X + p.Y, 0))).LengthSquared();
        return scale * MathF.Sqrt(MathF.Min(lobe, side)) * MathF.Sign(p.X - p.Y);
    }
}
