namespace AnimateDiff.Configs;

/// <summary>The spelling of settings: <c>PanLeft</c> is written <c>pan-left</c>.</summary>
internal static class KebabNames
{
    /// <summary>All values of <typeparamref name="T"/> as they are written.</summary>
    public static IEnumerable<string> Of<T>() where T : struct, Enum => Enum.GetValues<T>().Select(Of);

    /// <summary>A value as it is written.</summary>
    public static string Of<T>(T value) where T : struct, Enum => string.Concat(
        value.ToString().Select((letter, at) => at > 0 && char.IsUpper(letter) ? $"-{char.ToLowerInvariant(letter)}" : $"{char.ToLowerInvariant(letter)}"));

    /// <summary>The value that is written so, or null.</summary>
    public static T? Parse<T>(string name) where T : struct, Enum =>
        Enum.GetValues<T>().Cast<T?>().FirstOrDefault(value => Of(value!.Value) == name);
}
