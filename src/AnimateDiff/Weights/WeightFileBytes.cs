using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace AnimateDiff.Weights;

/// <summary>An open weight file. Whatever goes wrong with it, at opening or while a tensor is read, is a <see cref="FileException"/>.</summary>
internal sealed class WeightFileBytes : IDisposable
{
    /// <summary>Bytes read at once: a span cannot be longer than 2 GB, and a tensor can.</summary>
    private const int Piece = 1 << 24;

    private readonly SafeFileHandle _handle;

    public string Path { get; }

    public long Length { get; }

    private WeightFileBytes(string path, SafeFileHandle handle) => (Path, _handle, Length) = (path, handle, RandomAccess.GetLength(handle));

    public static WeightFileBytes Open(string path)
    {
        if (Directory.Exists(path))
            throw new FileException(path, $"{path} is a folder where a weight file is expected; name the file in it.");
        if (!File.Exists(path))
            throw new FileException(path, $"{path} does not exist; check the path, or download the file.");
        try
        {
            var file = new WeightFileBytes(path, File.OpenHandle(path));
            if (file.Length > 0)
                return file;
            file.Dispose();
            throw new FileException(path, $"{path} is empty: its download or its copy did not happen; download it again.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new FileException(path, $"{path} cannot be opened: {error.Message}", error);
        }
    }

    /// <summary>Fills <paramref name="into"/> from byte <paramref name="start"/> on.</summary>
    public void ReadExactly(long start, Span<byte> into)
    {
        try
        {
            while (into.Length > 0)
            {
                var read = RandomAccess.Read(_handle, into, start);
                if (read == 0)
                    throw new FileException(Path, $"{Path} ends within data that should reach byte {start + into.Length}; download it again.");
                into = into[read..];
                start += read;
            }
        }
        catch (IOException error)
        {
            throw new FileException(Path, $"{Path} cannot be read at byte {start}: {error.Message}", error);
        }
    }

    /// <summary>Reads a contiguous tensor straight into its own memory.</summary>
    public Tensor ReadTensor(long start, ScalarType dtype, IReadOnlyList<long> shape)
        => FillTensor(dtype, shape, piece =>
        {
            ReadExactly(start, piece);
            start += piece.Length;
        });

    /// <summary>Makes a contiguous tensor and has <paramref name="fill"/> write its bytes, piece after piece.</summary>
    public Tensor FillTensor(ScalarType dtype, IReadOnlyList<long> shape, PieceFiller fill)
    {
        // A byte other than 0 and 1 is no bool, and no kernel expects one.
        if (dtype == ScalarType.Bool)
        {
            using var raw = FillTensor(ScalarType.Byte, shape, fill);
            return raw.to(ScalarType.Bool);
        }
        Tensor tensor;
        try
        {
            tensor = empty([.. shape], dtype, CPU);
        }
        catch (ExternalException error)
        {
            throw new FileException(Path, $"{Path} holds a tensor of shape [{string.Join(", ", shape)}], for which there is no memory.", error);
        }
        try
        {
            NativeHeap.UseHugePages(tensor);
            ForEachPiece(tensor, fill);
            return tensor;
        }
        catch
        {
            tensor.Dispose();
            throw;
        }
    }

    /// <summary>Hands the bytes of a contiguous CPU tensor to <paramref name="visit"/>, in order and in pieces.</summary>
    public static void ForEachPiece(Tensor tensor, PieceFiller visit)
    {
        using var flat = tensor.view(-1);
        var step = Piece / tensor.ElementSize;
        for (long first = 0; first < flat.NumberOfElements; first += step)
        {
            using var piece = flat.narrow(0, first, Math.Min(step, flat.NumberOfElements - first));
            visit(piece.bytes);
        }
    }

    /// <summary>Text of a file as it may stand in a message: short, in one line, without control characters.</summary>
    public static string Show(string text)
        => string.Concat(text.Take(120).Select(letter => char.IsControl(letter) || char.IsSurrogate(letter) ? '?' : letter)) + (text.Length > 120 ? "…" : "");

    public void Dispose() => _handle.Dispose();
}

/// <summary>Reads or writes the bytes of a piece of a tensor.</summary>
internal delegate void PieceFiller(Span<byte> piece);
