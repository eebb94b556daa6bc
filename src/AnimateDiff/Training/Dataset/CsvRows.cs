using System.Text;

namespace AnimateDiff.Training.Dataset;

/// <summary>Rows of a CSV file (RFC 4180): fields may be in quotes, then with commas, line breaks and doubled quotes.</summary>
internal static class CsvRows
{
    /// <summary>The rows with the line each begins at, from 1; empty lines are passed over.</summary>
    /// <exception cref="FileException">A quote is never closed, or text follows a closing one.</exception>
    public static IEnumerable<(int Line, string[] Fields)> Read(string path, TextReader text)
    {
        var line = 1;
        while (text.Peek() >= 0)
        {
            var (begin, fields) = (line, new List<string>());
            do
                fields.Add(Field(path, text, ref line));
            while (text.Read() == ',');              // else the line break that Field stopped at, or the end
            line++;
            if (fields is not [""])
                yield return (begin, [.. fields]);
        }
    }

    /// <summary>Reads up to the next comma, line feed or the end, which stays unread.</summary>
    private static string Field(string path, TextReader text, ref int line)
    {
        var field = new StringBuilder();
        if (text.Peek() == '"')
        {
            var begin = line;
            text.Read();
            for (var quoted = true; quoted;)
            {
                var letter = text.Read();
                if (letter < 0)
                    throw new FileException(path, $"{path}, line {begin}: a quote is opened and never closed; close it, or double a quote that is meant.");
                if (letter == '\n')
                    line++;
                quoted = letter != '"' || text.Peek() == '"';
                if (letter == '"' && quoted)
                    text.Read();
                if (quoted)
                    field.Append((char)letter);
            }
            if (text.Peek() == '\r')
                text.Read();
            return text.Peek() is -1 or ',' or '\n' ? field.ToString()
                : throw new FileException(path, $"{path}, line {line}: “{(char)text.Peek()}” follows a closing quote; double the quotes inside a field.");
        }
        while (text.Peek() is not (-1 or ',' or '\n'))
            field.Append((char)text.Read());
        if (text.Peek() != ',' && field.Length > 0 && field[^1] == '\r')
            field.Length--;
        return field.ToString();
    }
}
