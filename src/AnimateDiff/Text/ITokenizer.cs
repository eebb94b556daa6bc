namespace AnimateDiff.Text;

/// <summary>What the prompt encoder needs of a tokenizer.</summary>
internal interface ITokenizer
{
    /// <summary>Id that opens a sequence.</summary>
    int BeginId { get; }

    /// <summary>Id that closes a sequence.</summary>
    int EndId { get; }

    /// <summary>Id that fills a sequence up.</summary>
    int PadId { get; }

    /// <summary>Longest sequence with its begin and end, usually 77.</summary>
    int MaxLength { get; }

    /// <summary>Ids of a text, without begin, end and padding, of any length.</summary>
    IReadOnlyList<int> Encode(string text);

    /// <summary>The text of ids, for messages.</summary>
    string Decode(IEnumerable<int> ids);

    /// <summary>Whether a word ends with this id.</summary>
    bool EndsWord(int id);
}
