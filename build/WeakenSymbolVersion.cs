using System;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>
/// Copies an ELF64 library and makes one symbol-version requirement, and the one symbol that carries it, weak in the copy
/// (ELF gABI, "Symbol Table"; LSB, "Symbol Versioning"). Does nothing where the system's libstdc++ knows the version.
/// </summary>
public class WeakenSymbolVersion : Task
{
    private const ushort WeakVersion = 2;                                   // VER_FLG_WEAK
    private const byte WeakBinding = 2;                                     // STB_WEAK

    [Required] public string Source { get; set; }
    [Required] public string Destination { get; set; }
    [Required] public string Version { get; set; }
    [Required] public string Symbol { get; set; }
    [Output] public bool Patched { get; set; }

    public override bool Execute()
    {
        if (SystemKnowsVersion())
            return true;
        var image = File.ReadAllBytes(Source);
        if (!Weaken(image))
            return true;                                                    // a library that does not ask for it
        Patched = true;
        if (File.Exists(Destination) && AsSpanEqual(File.ReadAllBytes(Destination), image))
            return true;
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(Destination)));
        var beside = Destination + "." + Guid.NewGuid().ToString("N");
        File.WriteAllBytes(beside, image);
        if (File.Exists(Destination))
            File.Delete(Destination);
        File.Move(beside, Destination);
        return true;
    }

    private bool SystemKnowsVersion()
    {
        foreach (var folder in new[] { "/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/lib64", "/usr/lib" })
        {
            var library = Path.Combine(folder, "libstdc++.so.6");
            if (File.Exists(library))
                return Encoding.ASCII.GetString(File.ReadAllBytes(library)).Contains(Version + "\0");
        }
        return false;
    }

    private bool Weaken(byte[] image)
    {
        if (image.Length < 64 || image[0] != 0x7f || image[1] != 'E' || image[4] != 2 || image[5] != 1)
            return false;                                                   // not a little-endian ELF64 file
        int Word(long at) => BitConverter.ToInt32(image, (int)at);
        long Long(long at) => BitConverter.ToInt64(image, (int)at);
        ushort Half(long at) => BitConverter.ToUInt16(image, (int)at);
        string Text(long table, int offset)
        {
            var start = (int)table + offset;
            return Encoding.ASCII.GetString(image, start, Array.IndexOf(image, (byte)0, start) - start);
        }

        const int SymbolTable = 11, VersionNeeds = 0x6ffffffe;              // SHT_DYNSYM, SHT_GNU_verneed
        long headers = Long(0x28);
        int size = Half(0x3a), count = Half(0x3c);
        var found = false;
        for (var i = 0; i < count; i++)
        {
            var header = headers + (long)i * size;
            var type = Word(header + 4);
            if (type != SymbolTable && type != VersionNeeds)
                continue;
            long start = Long(header + 0x18), length = Long(header + 0x20);
            var strings = Long(headers + (long)Word(header + 0x28) * size + 0x18);
            if (type == SymbolTable)
            {
                for (var symbol = start; symbol < start + length; symbol += 24)
                    if (Text(strings, Word(symbol)) == Symbol)
                        image[symbol + 4] = (byte)(WeakBinding << 4 | image[symbol + 4] & 0xf);
                continue;
            }
            for (var need = start; ; need += Word(need + 12))
            {
                for (var entry = need + Word(need + 8); ; entry += Word(entry + 12))
                {
                    if (Text(strings, Word(entry + 8)) == Version)
                    {
                        image[entry + 4] |= (byte)WeakVersion;
                        found = true;
                    }
                    if (Word(entry + 12) == 0)
                        break;
                }
                if (Word(need + 12) == 0)
                    break;
            }
        }
        return found;
    }

    private static bool AsSpanEqual(byte[] a, byte[] b)
    {
        if (a.Length != b.Length)
            return false;
        for (var i = 0; i < a.Length; i++)
            if (a[i] != b[i])
                return false;
        return true;
    }
}
