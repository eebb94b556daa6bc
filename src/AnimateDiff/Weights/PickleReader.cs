using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace AnimateDiff.Weights;

/// <summary>
/// Reads a pickle, the data half of it: opcodes that build values (protocols 2 to 5, https://docs.python.org/3/library/pickletools.html), and names from
/// a fixed list.
/// Values are null, bool, long, <see cref="BigInteger"/>, double, string, byte[], object?[] (tuple), List (list), and the types of PickleValues.cs.
/// </summary>
internal sealed class PickleReader(string path, ReadOnlyMemory<byte> pickle)
{
    /// <summary>A Stable Diffusion checkpoint with its optimizer has a sixth of this; each opcode can take some hundred bytes of memory.</summary>
    private const int MaxOpcodes = 1_000_000;

    private readonly List<object?> _stack = [];
    private readonly Stack<int> _marks = [];
    private readonly Dictionary<long, object?> _memo = [];
    private int _opcodes;

    /// <summary>Position of the next byte; after <see cref="Read"/> that of the next pickle in the same bytes.</summary>
    public int Position { get; set; }

    /// <summary>The storages that the pickles read so far refer to, by key.</summary>
    public Dictionary<string, PickledStorage> Storages { get; } = [];

    /// <summary>Reads one pickle, to its STOP.</summary>
    /// <exception cref="FileException">It is damaged, or asks for something that is not data.</exception>
    public object? Read()
    {
        _stack.Clear();
        _marks.Clear();
        _memo.Clear();
        try
        {
            while (Next()) { }
            return _stack.Count == 1 && _marks.Count == 0 ? Pop() : throw new FormatException($"leaves {_stack.Count} values where one is expected");
        }
        catch (FormatException error)
        {
            throw new FileException(
                path, $"{path} is damaged or no checkpoint: its pickle {error.Message} (at byte {Position}); download it again, or save it as safetensors.", error);
        }
    }

    /// <summary>Runs one opcode; false at the end.</summary>
    private bool Next()
    {
        if (++_opcodes > MaxOpcodes)
            throw new FormatException($"has more than {MaxOpcodes} instructions");
        var opcode = Byte();
        switch (opcode)
        {
            case 0x80:
                if (Byte() is not (>= 2 and <= 5))
                    throw new FormatException("is of a protocol other than 2 to 5");
                break;
            case 0x95: Bytes(8); break;                                             // FRAME: how much to read ahead
            case (byte)'.': return false;                                           // STOP

            case (byte)'N': Push(null); break;
            case 0x88: Push(true); break;
            case 0x89: Push(false); break;
            case (byte)'K': Push((long)Byte()); break;                              // BININT1
            case (byte)'M': Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2))); break;
            case (byte)'J': Push((long)BinaryPrimitives.ReadInt32LittleEndian(Bytes(4))); break;
            case 0x8a: PushLong(Byte()); break;                                     // LONG1
            case 0x8b: PushLong(UInt32()); break;                                   // LONG4
            case (byte)'G': Push(BinaryPrimitives.ReadDoubleBigEndian(Bytes(8))); break;
            case 0x8c or (byte)'U': Push(Text(Byte())); break;                      // SHORT_BINUNICODE, Python 2's SHORT_BINSTRING
            case (byte)'X' or (byte)'T': Push(Text(UInt32())); break;               // BINUNICODE, Python 2's BINSTRING
            case 0x8d: Push(Text(UInt64())); break;                                 // BINUNICODE8
            case (byte)'C': Push(Bytes(Byte()).ToArray()); break;                   // SHORT_BINBYTES
            case (byte)'B': Push(Bytes(UInt32()).ToArray()); break;                 // BINBYTES
            case 0x8e or 0x96: Push(Bytes(UInt64()).ToArray()); break;              // BINBYTES8, BYTEARRAY8

            case (byte)'(': _marks.Push(_stack.Count); break;                       // MARK
            case (byte)'0': Pop(); break;
            case (byte)'1': PopToMark(); break;
            case (byte)'2': Push(Top()); break;                                     // DUP
            case (byte)')': Push(Array.Empty<object?>()); break;
            case 0x85 or 0x86 or 0x87: Push(PopMany(opcode - 0x84)); break;         // TUPLE1, TUPLE2, TUPLE3
            case (byte)'t' or 0x91: Push(PopToMark()); break;                       // TUPLE, FROZENSET
            case (byte)']' or 0x8f: Push(new List<object?>()); break;               // EMPTY_LIST, EMPTY_SET
            case (byte)'l': Push(new List<object?>(PopToMark())); break;            // LIST
            case (byte)'a': Append([Pop()]); break;
            case (byte)'e' or 0x90: Append(PopToMark()); break;                     // APPENDS, ADDITEMS
            case (byte)'}': Push(new PickledDict()); break;
            case (byte)'d': { var items = PopToMark(); Push(new PickledDict()); SetItems(items); break; }
            case (byte)'s': SetItems(PopMany(2)); break;
            case (byte)'u': SetItems(PopToMark()); break;

            case (byte)'q': _memo[Byte()] = Top(); break;                           // BINPUT
            case (byte)'r': _memo[UInt32()] = Top(); break;                         // LONG_BINPUT
            case 0x94: _memo[_memo.Count] = Top(); break;                           // MEMOIZE
            case (byte)'h': Push(Remembered(Byte())); break;                        // BINGET
            case (byte)'j': Push(Remembered(UInt32())); break;                      // LONG_BINGET

            case (byte)'c': Push(PickleGlobals.Resolve(path, Line(), Line())); break;
            case 0x93: { var names = PopMany(2); Push(Global(names[0], names[1])); break; }
            case (byte)'i': Global(Line(), Line()); throw new FormatException("makes an instance of a class");
            case (byte)'R': { var call = PopMany(2); Push(Call(call[0], call[1])); break; }
            case 0x81: { var call = PopMany(2); Push(CallClass(call[0], call[1])); break; }
            case (byte)'b': SetState(Pop()); break;
            case (byte)'Q': Push(Storage(Pop())); break;                            // BINPERSID
            case 0x82 or 0x83 or 0x84: throw new FormatException("uses a registered extension, whose code is outside the file");
            case (byte)'o' or 0x92: throw new FormatException($"makes an instance of {Describe(Pop())}");
            case (byte)'I' or (byte)'L' or (byte)'F' or (byte)'S' or (byte)'V' or (byte)'P' or (byte)'g' or (byte)'p':
                throw new FormatException("is of the text protocol 0, which PyTorch never wrote");
            default: throw new FormatException($"has the instruction 0x{opcode:x2}, which is not one that builds data");
        }
        return true;
    }

    private PickleGlobal Global(object? module, object? name)
        => module is string inModule && name is string called
            ? PickleGlobals.Resolve(path, inModule, called)
            : throw new FormatException("names a function by something that is no text");

    private static object Call(object? function, object? arguments)
        => (function, arguments) is (PickleGlobal global, object?[] values)
            ? PickleGlobals.Build(global, values)
            : throw new FormatException($"calls {Describe(function)}");

    /// <summary>NEWOBJ, by which subclasses of dict are written.</summary>
    private static object CallClass(object? type, object? arguments)
        => type is PickleGlobal { Meaning: PickleMeaning.OrderedDict or PickleMeaning.Nothing }
            ? Call(type, arguments)
            : throw new FormatException($"makes an instance of {Describe(type)}");

    /// <summary>BUILD: attributes of what is on the stack. None of them is a weight, so that none is kept.</summary>
    private void SetState(object? state)
    {
        if (Top() is not (PickledNothing or PickledDict { Ordered: true }) || state is not (PickledDict or object?[] or null))
            throw new FormatException($"sets the state of {Describe(Top())}");
    }

    private PickledStorage Storage(object? id)
    {
        var storage = PickleGlobals.Storage(id);
        if (!Storages.TryAdd(storage.Key, storage) && Storages[storage.Key] != storage)
            throw new FormatException($"gives the storage '{WeightFileBytes.Show(storage.Key)}' two types or sizes");
        return storage;
    }

    private void Append(object?[] values)
    {
        if (Top() is List<object?> list)
            list.AddRange(values);
        else if (Top() is not PickledNothing)
            throw new FormatException($"appends to {Describe(Top())}");
    }

    private void SetItems(object?[] items)
    {
        if (items.Length % 2 != 0 || Top() is not (PickledDict or PickledNothing))
            throw new FormatException($"puts {items.Length} keys and values into {Describe(Top())}");
        if (Top() is PickledDict dict)
            for (var i = 0; i < items.Length; i += 2)
                dict.Add(items[i], items[i + 1]);
    }

    private static string Describe(object? value) => value switch
    {
        null => "None",
        PickleGlobal global => global.Name,
        PickledTensor => "a tensor",
        PickledDict => "a dict",
        List<object?> => "a list",
        object?[] => "a tuple",
        _ => "a plain value",
    };

    private void Push(object? value) => _stack.Add(value);

    /// <summary>Lowest position that may be taken off the stack: what is under the last mark belongs to another level.</summary>
    private int Floor => _marks.TryPeek(out var mark) ? mark : 0;

    private object? Top() => _stack.Count > Floor ? _stack[^1] : throw new FormatException("takes a value from an empty stack");

    private object? Pop()
    {
        var value = Top();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private object?[] PopMany(int count)
    {
        if (_stack.Count - Floor < count)
            throw new FormatException("takes values from an empty stack");
        var values = _stack.GetRange(_stack.Count - count, count).ToArray();
        _stack.RemoveRange(_stack.Count - count, count);
        return values;
    }

    private object?[] PopToMark()
    {
        if (!_marks.TryPop(out var mark))
            throw new FormatException("closes a list that was not opened");
        var values = _stack.GetRange(mark, _stack.Count - mark).ToArray();
        _stack.RemoveRange(mark, _stack.Count - mark);
        return values;
    }

    private object? Remembered(long index)
        => _memo.TryGetValue(index, out var value) ? value : throw new FormatException($"refers to value {index}, which it has not made");

    private void PushLong(uint length)
    {
        if (length > 64)
            throw new FormatException($"has a whole number of {length} bytes");
        var number = new BigInteger(Bytes(length));
        Push(number >= long.MinValue && number <= long.MaxValue ? (object)(long)number : number);
    }

    private byte Byte() => Bytes(1)[0];

    private uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4));

    private ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8));

    private string Text(ulong length) => Encoding.UTF8.GetString(Bytes(length));

    private ReadOnlySpan<byte> Bytes(ulong length)
    {
        if (length > (ulong)(pickle.Length - Position))
            throw new FormatException($"goes on for {length} bytes and {pickle.Length - Position} are left");
        var bytes = pickle.Span.Slice(Position, (int)length);
        Position += (int)length;
        return bytes;
    }

    private string Line()
    {
        var rest = pickle.Span[Position..];
        var end = rest[..Math.Min(rest.Length, 1024)].IndexOf((byte)'\n');
        if (end < 0)
            throw new FormatException("has a name without an end");
        Position += end + 1;
        return Encoding.UTF8.GetString(rest[..end]);
    }
}
