using System.Text;
using System.Text.Json;

namespace AnimateDiff.Training.Dataset;

/// <summary>Files that list entries: the CSV of WebVid and lines of JSON.</summary>
internal static class EntryFiles
{
    /// <summary>Columns of WebVid's CSV; <c>page_dir</c> may be absent.</summary>
    private static readonly string[] Columns = ["videoid", "name", "page_dir"];

    /// <summary>A CSV with <c>videoid,name,page_dir</c>, the files <c>{folder}/{videoid}.mp4</c> or <c>{folder}/{page_dir}/{videoid}.mp4</c>.</summary>
    /// <exception cref="FileException">A column is missing, or a row has another number of fields than the header.</exception>
    public static IEnumerable<TrainingEntry> Csv(string path, string folder)
    {
        using var text = Open(path);
        using var rows = CsvRows.Read(path, text).GetEnumerator();
        if (!rows.MoveNext())
            throw new FileException(path, $"{path} is empty, expected a header with {string.Join(", ", Columns)}.");
        var header = rows.Current.Fields.Select(field => field.Trim()).ToArray();
        var (id, name, page) = (Array.IndexOf(header, Columns[0]), Array.IndexOf(header, Columns[1]), Array.IndexOf(header, Columns[2]));
        if (id < 0 || name < 0)
            throw new FileException(path,
                $"{path} has the columns {string.Join(", ", header.Take(12))}, but no {(id < 0 ? Columns[0] : Columns[1])}; "
                + $"the first line must name {string.Join(", ", Columns)}.");
        while (rows.MoveNext())
        {
            var (line, fields) = rows.Current;
            if (fields.Length != header.Length)
                throw new FileException(path, $"{path}, line {line}: {fields.Length} fields, but {header.Length} columns; put captions with commas in quotes.");
            var file = fields[id].Trim() + ".mp4";
            var directory = page < 0 ? "" : fields[page].Trim();
            yield return new TrainingEntry(fields[id].Trim(), Path.Combine(folder, file), Captions.Clean(fields[name]),
                directory.Length > 0 ? Path.Combine(folder, directory, file) : null);
        }
    }

    /// <summary>A file of JSON objects, one a line, with <c>file_name</c>, <c>video</c> or <c>path</c>, and <c>text</c> or <c>caption</c>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="folder">What its paths are relative to.</param>
    /// <exception cref="FileException">A line is no such object.</exception>
    public static IEnumerable<TrainingEntry> Jsonl(string path, string folder)
    {
        using var text = Open(path);
        for (var line = 1; text.ReadLine() is { } json; line++)
        {
            if (string.IsNullOrWhiteSpace(json))
                continue;
            var file = Text(path, line, json, ["file_name", "video", "path"]);
            var caption = Text(path, line, json, ["text", "caption"]);
            yield return new TrainingEntry(file, Path.Combine(folder, file), Captions.Clean(caption));
        }
    }

    private static string Text(string path, int line, string json, string[] keys)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(json);
        }
        catch (JsonException error)
        {
            throw new FileException(path, $"{path}, line {line}: no JSON ({error.Message.TrimEnd('.')}); every line must be one object.", error);
        }
        using (document)
        {
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new FileException(path, $"{path}, line {line}: {document.RootElement.ValueKind}, expected an object in braces.");
            foreach (var key in keys)
                if (document.RootElement.TryGetProperty(key, out var value))
                    return value.ValueKind == JsonValueKind.String ? value.GetString()!
                        : throw new FileException(path, $"{path}, line {line}: {key} is {value.ValueKind}, expected text in quotes.");
            throw new FileException(path, $"{path}, line {line}: has {string.Join(", ", document.RootElement.EnumerateObject().Take(12).Select(property => property.Name))}, "
                + $"but none of {string.Join(", ", keys)}.");
        }
    }

    /// <exception cref="FileException">It cannot be opened.</exception>
    private static StreamReader Open(string path)
    {
        try
        {
            return new StreamReader(path, Encoding.UTF8);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new FileException(path, $"'{path}' cannot be read ({error.Message.TrimEnd('.')}).", error);
        }
    }
}
