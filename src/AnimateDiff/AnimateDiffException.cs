namespace AnimateDiff;

/// <summary>An error that is the user's to read: one sentence with what, where, found, expected and what to do.</summary>
public class AnimateDiffException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>A setting or argument is wrong or does not go with another one.</summary>
public sealed class RequestException(string message, Exception? inner = null) : AnimateDiffException(message, inner);

/// <summary>A file is missing, damaged, or not what it was given as.</summary>
public class FileException(string path, string message, Exception? inner = null) : AnimateDiffException(message, inner)
{
    /// <summary>The file or folder the message is about.</summary>
    public string Path { get; } = path;
}
