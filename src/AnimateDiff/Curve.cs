using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace AnimateDiff;

/// <summary>
/// A number, or one that changes over the frames of a clip or over the steps of a run: points with straight lines between them, and constant before the
/// first and after the last. As text <c>7.5</c>, over frames <c>0:9,15:4</c> (FRAME:VALUE, counting from 0), over steps <c>0%:9,60%:5</c>
/// (0% is the first step, 100% the last).
/// </summary>
[JsonConverter(typeof(CurveConverter))]
public sealed partial class Curve : IEquatable<Curve>
{
    private const string Number = @"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?";
    private const string InPercent = $@"[\d.]+%:{Number}";

    private readonly bool _overSteps;
    private readonly (double At, double Value)[] _points;

    private Curve(bool overSteps, (double, double)[] points) => (_overSteps, _points) = (overSteps, points);

    /// <summary>The same number always.</summary>
    /// <param name="value">The number.</param>
    public static implicit operator Curve(double value) => new(false, [(double.NegativeInfinity, value)]);

    /// <summary>Over the frames of a clip.</summary>
    /// <param name="points">Numbers of frames, counting from 0, each once and in any order, and the values there; one or more.</param>
    /// <exception cref="RequestException">There is no point, two are at one place, or a number is out of its range.</exception>
    public static Curve OverFrames(params IEnumerable<(int Frame, double Value)> points) => Checked(false, points.Select(point => ((double)point.Frame, point.Value)));

    /// <summary>Over the steps of a run.</summary>
    /// <param name="points">Percents of the steps, 0 (the first step) to 100 (the last), each once and in any order, and the values there; one or more.</param>
    /// <exception cref="RequestException">There is no point, two are at one place, or a number is out of its range.</exception>
    public static Curve OverSteps(params IEnumerable<(double Percent, double Value)> points) => Checked(true, points);

    /// <summary>Reads <c>VALUE</c>, <c>FRAME:VALUE,…</c> or <c>PERCENT%:VALUE,…</c>.</summary>
    /// <param name="text">The text.</param>
    /// <exception cref="RequestException">It is something else.</exception>
    public static Curve Parse(string text)
    {
        RequestException Wrong() => new($"'{text}' is no strength: expected a number such as 7.5, one that changes over the frames such as 0:9,15:4, or over the steps such as 0%:9,60%:5.");
        if (OptionText.Number(text) is { } number)
            return double.IsFinite(number) ? number : throw Wrong();
        string[][] parts = [.. text.Split(',').Select(part => part.Split(':'))];
        var overSteps = text.Contains('%');
        return Checked(overSteps, parts.Select(part =>
            part is [var place, var value] && place.Trim() is var at && at.EndsWith('%') == overSteps && OptionText.Number(value) is { } own
            && (overSteps ? OptionText.Number(at[..^1]) : OptionText.Whole(at)) is { } found ? (found, own) : throw Wrong()));
    }

    /// <summary>
    /// Reads <c>TEXT[:CURVE]</c>: what follows a colon and is no curve belongs to the text, which may have colons itself. One point over frames is none here,
    /// since <c>a:8:0.5</c> has always been <c>a:8</c> with 0.5.
    /// </summary>
    internal static (string Text, Curve? Curve) AtEndOf(string text)
        => AtEnd().Match(text) is { Success: true } match ? (match.Groups["text"].Value, Parse(match.Groups["curve"].Value)) : (text, null);

    /// <summary>The text of a curve within a regular expression.</summary>
    internal const string Pattern = $@"(\d+:{Number}(,\d+:{Number})+|{InPercent}(,{InPercent})*|{Number})";

    /// <summary>Whether it is one number.</summary>
    public bool IsConstant => double.IsNegativeInfinity(_points[0].At);

    internal bool IsOverFrames => !IsConstant && !_overSteps;

    internal bool IsOverSteps => _overSteps;

    internal bool IsFinite => _points.All(point => double.IsFinite(point.Value));

    /// <summary>Its values at its points; it is never above the greatest nor below the least.</summary>
    internal IEnumerable<double> Values => _points.Select(point => point.Value);

    /// <summary>What it is in a step: one number, or still a curve over frames.</summary>
    /// <param name="step">Number of the step among those that are run, from 0.</param>
    /// <param name="steps">How many are run.</param>
    internal Curve AtStep(int step, int steps) => IsOverSteps ? At(steps < 2 ? 0 : 100.0 * step / (steps - 1)) : this;

    /// <summary>What it is in a frame; of a curve over steps, in the first.</summary>
    internal double InFrame(long frame) => At(IsOverSteps ? 0 : frame);

    /// <summary>What it is in each of some frames.</summary>
    /// <param name="frames">How many.</param>
    /// <param name="window">Which; null for the first of the clip.</param>
    internal float[] InFrames(long frames, long[]? window = null) => [.. (window ?? Enumerable.Range(0, (int)frames).Select(frame => (long)frame)).Select(frame => (float)InFrame(frame))];

    /// <summary>The text that <see cref="Parse"/> reads.</summary>
    public override string ToString() => IsConstant ? Text(_points[0].Value)
        : string.Join(',', _points.Select(point => $"{Text(point.At)}{(_overSteps ? "%" : "")}:{Text(point.Value)}"));

    /// <inheritdoc/>
    public bool Equals(Curve? other) => other is not null && other._overSteps == _overSteps && other._points.SequenceEqual(_points);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Curve);

    /// <inheritdoc/>
    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    /// <summary>Whether two are the same points.</summary>
    public static bool operator ==(Curve? left, Curve? right) => Equals(left, right);

    /// <summary>Whether two are not the same points.</summary>
    public static bool operator !=(Curve? left, Curve? right) => !Equals(left, right);

    private double At(double place)
    {
        var next = Array.FindIndex(_points, point => point.At > place);
        if (next <= 0)
            return (next == 0 ? _points[0] : _points[^1]).Value;
        var ((from, first), (to, second)) = (_points[next - 1], _points[next]);
        var share = (place - from) / (to - from);
        return share == 0 ? first : first + share * (second - first);
    }

    private static Curve Checked(bool overSteps, IEnumerable<(double At, double Value)> points)
    {
        (double At, double Value)[] sorted = [.. points.OrderBy(point => point.At)];
        var curve = new Curve(overSteps, sorted.Length > 0 ? sorted : throw new RequestException("A curve has no points: give one or more, such as 0:9,15:4."));
        if (!curve.IsFinite || sorted.Any(point => !(point.At >= 0 && point.At <= (overSteps ? 100 : int.MaxValue))))
            throw new RequestException($"The curve {curve} is not possible: expected {(overSteps ? "percents of the steps from 0% to 100%" : "frames from 0 on")}, and numbers as values.");
        return sorted.DistinctBy(point => point.At).Count() == sorted.Length ? curve
            : throw new RequestException($"The curve {curve} has two values at one place: give one.");
    }

    private static string Text(double number) => number.ToString("R", CultureInfo.InvariantCulture);

    [GeneratedRegex($@"^(?<text>.+?):(?<curve>{Pattern})$", RegexOptions.Singleline)]
    private static partial Regex AtEnd();
}

/// <summary>A curve in JSON: a number, or its text.</summary>
internal sealed class CurveConverter : JsonConverter<Curve>
{
    public override Curve Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.String)
            return reader.GetDouble();
        try
        {
            return Curve.Parse(reader.GetString()!);
        }
        catch (RequestException error)
        {
            throw new JsonException(error.Message, error);
        }
    }

    public override void Write(Utf8JsonWriter writer, Curve value, JsonSerializerOptions options)
    {
        if (value.IsConstant)
            writer.WriteNumberValue(value.InFrame(0));
        else
            writer.WriteStringValue(value.ToString());
    }
}
