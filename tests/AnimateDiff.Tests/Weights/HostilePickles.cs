namespace AnimateDiff.Tests.Weights;

/// <summary>Pickles that ask to run something, point outside what is there, or want more than a machine has.</summary>
internal static class HostilePickles
{
    /// <summary>All of them; those that would run something would create <paramref name="marker"/>.</summary>
    /// <param name="marker">A file that does not exist.</param>
    /// <param name="data">256 bytes: the storage that the pickles' tensors refer to.</param>
    public static IEnumerable<MutatedFile> All(string marker, byte[] data)
    {
        var touch = $"touch {marker}";
        (string Name, Action<PickleWriter> Write, string? Named)[] hostile =
        [
            ("os.system", w => w.Global("os", "system").Text(touch).Op(0x85).Op('R'), "os.system"),
            ("posix.system", w => w.Global("posix", "system").Text(touch).Op(0x85).Op('R'), "posix.system"),
            ("nt.system", w => w.Global("nt", "system").Text(touch).Op(0x85).Op('R'), "nt.system"),
            ("eval", w => w.Global("builtins", "eval").Text($"open('{marker}','w')").Op(0x85).Op('R'), "builtins.eval"),
            ("exec-python2", w => w.Global("__builtin__", "exec").Text($"open('{marker}','w')").Op(0x85).Op('R'), "__builtin__.exec"),
            ("open", w => w.Global("io", "open").Text(marker).Text("w").Op(0x86).Op('R'), "io.open"),
            ("subprocess", w => w.Global("subprocess", "Popen").Op(']').Text("touch").Op('a').Text(marker).Op('a').Op(0x85).Op('R'), "subprocess.Popen"),
            ("stack-global", w => w.Text("os").Text("system").Op(0x93).Text(touch).Op(0x85).Op('R'), "os.system"),
            ("stack-global-by-memo", w => w.Text("posix").Op(0x94).Op('0').Text("system").Op(0x94).Op('0').Op('h').Raw(0).Op('h').Raw(1).Op(0x93).Text(touch).Op(0x85).Op('R'), "posix.system"),
            ("stack-global-of-numbers", w => w.Op('K').Raw(1).Op('K').Raw(2).Op(0x93), "something that is no text"),
            ("inst", w => w.Op('(').Text(touch).Op('i').Raw("os\nsystem\n"u8), "os.system"),
            ("inst-of-allowed", w => w.Op('(').Op('i').Raw("collections\nOrderedDict\n"u8), "instance"),
            ("obj", w => w.Op('(').Global("os", "system").Text(touch).Op('o'), "os.system"),
            ("obj-of-allowed", w => w.Op('(').Global("collections", "OrderedDict").Op('o'), "collections.OrderedDict"),
            ("newobj", w => w.Global("subprocess", "Popen").Text(touch).Op(0x85).Op(0x81), "subprocess.Popen"),
            ("newobj-of-function", w => w.Global("torch._utils", "_rebuild_tensor_v2").Op(')').Op(0x81), "torch._utils._rebuild_tensor_v2"),
            ("newobj-ex", w => w.Global("collections", "OrderedDict").Op(')').Op('}').Op(0x92), "instance"),
            ("ext1", w => w.Op(0x82).Raw(1), "extension"),
            ("ext2", w => w.Op(0x83).Raw(1, 0), "extension"),
            ("ext4", w => w.Op(0x84).Raw(1, 0, 0, 0), "extension"),
            ("build-setstate", w => w.Global("torch.nn.modules.module", "Module").Op(')').Op('R').Op('}').Op('b'), "torch.nn.modules.module.Module"),
            ("build-on-list", w => w.Op(']').Op('}').Op('b'), "sets the state of a list"),
            ("build-on-function", w => w.Global("torch._utils", "_rebuild_tensor_v2").Dict(("__setstate__", w => w.Text(touch))).Op('b'), "sets the state of torch._utils._rebuild_tensor_v2"),
            ("build-with-text", w => w.Global("collections", "OrderedDict").Op(')').Op('R').Text(touch).Op('b'), "sets the state"),
            ("load-from-bytes", w => w.Global("torch.storage", "_load_from_bytes").Op('C').Raw(1, 0).Op(0x85).Op('R'), "torch.storage._load_from_bytes"),
            ("getattr", w => w.Global("builtins", "getattr").Global("collections", "OrderedDict").Text("__class__").Op(0x86).Op('R'), "builtins.getattr"),
            ("dotted-name", w => w.Global("collections", "OrderedDict.fromkeys.__globals__").Op(')').Op('R'), "collections.OrderedDict.fromkeys"),
            ("name-split-elsewhere", w => w.Global("torch", "_utils._rebuild_tensor_v3").Op(')').Op('R'), "torch._utils._rebuild_tensor_v3"),
            ("copyreg", w => w.Global("copyreg", "_reconstructor").Op(')').Op('R'), "copyreg._reconstructor"),
            ("numpy-load", w => w.Global("numpy", "load").Text(marker).Op(0x85).Op('R'), "numpy.load"),
            ("runpy", w => w.Global("runpy", "_run_code").Op(')').Op('R'), "runpy._run_code"),
            ("persid", w => w.Op('P').Raw("id\n"u8), null),
            ("persistent-text", w => w.Text("storage").Op('Q'), null),
            ("persistent-function", w => w.Op('(').Text("storage").Global("collections", "OrderedDict").Text("0").Text("cpu").Number(64).Op('t').Op('Q'), null),
            ("negative-storage", w => w.Storage("FloatStorage", "0", -1), null),
            ("huge-storage", w => w.Storage("FloatStorage", "0", long.MaxValue), null),
            ("two-types-of-a-storage", w => w.Storage("FloatStorage", "0", 64).Op('0').Storage("HalfStorage", "0", 64), "two types"),
            ("storage-path", w => w.Dict(("a", w => w.Tensor("FloatStorage", "../data.pkl", 64, 0, [8], [1]))), "../data.pkl"),
            ("offset-behind-the-end", w => One(w, 60, [8], [1]), "elements 60 to 68 of a storage of 64"),
            ("negative-offset", w => One(w, -1, [8], [1]), "elements -1"),
            ("offset-overflow", w => One(w, long.MaxValue, [8], [1]), "of a storage of 64"),
            ("shape-overflow", w => One(w, 0, [1L << 32, 1L << 32], [1L << 32, 1]), "the shape [4294967296"),
            ("shape-zero-overflow", w => One(w, 0, [0, long.MaxValue, 4], [1, 1, 1]), "the shape [0,"),
            ("negative-shape", w => One(w, 0, [-1], [1]), "the shape [-1]"),
            ("negative-stride", w => One(w, 7, [8], [-1]), "the strides [-1]"),
            ("stride-overflow", w => One(w, 0, [2, 2], [long.MaxValue, long.MaxValue]), "of a storage of 64"),
            ("stride-bomb", w => One(w, 0, [1L << 40], [0]), "elements made of 1"),
            ("stride-of-other-rank", w => One(w, 0, [8], [1, 1]), "the strides [1, 1]"),
            ("shape-of-rank-17", w => One(w, 0, [.. Enumerable.Repeat(1L, 17)], [.. Enumerable.Repeat(1L, 17)]), "up to 16"),
            ("shape-of-text", w => w.Global("torch._utils", "_rebuild_tensor_v2").Op('(').Storage("FloatStorage", "0", 64).Op('K').Raw(0).Text("8").Op(0x85).Tuple(1).Op('t').Op('R'), null),
            ("storage-of-complex", w => w.Tensor("ComplexFloatStorage", "0", 64, 0, [8], [1]), "torch.ComplexFloatStorage"),
            ("huge-text", w => w.Op('X').UInt32(uint.MaxValue).Raw("abc"u8), null),
            ("huge-text-8", w => w.Op(0x8d).UInt64(ulong.MaxValue), null),
            ("huge-bytes-8", w => w.Op(0x8e).UInt64(1UL << 40), null),
            ("huge-bytearray", w => w.Op(0x96).UInt64(long.MaxValue), null),
            ("huge-number", w => w.Op(0x8b).UInt32(int.MaxValue), null),
            ("huge-frame", w => w.Op(0x95).UInt64(ulong.MaxValue), null),
            ("out-of-band-buffer", w => w.Op(0x97), null),
            ("protocol-0", w => w.Op('S').Raw("'a'\n"u8), null),
            ("protocol-6", w => w.Raw(0x80, 6), null),
            ("protocol-0-get", w => w.Op('g').Raw("0\n"u8), null),
            ("unknown-instruction", w => w.Op(0xff), null),
            ("empty-stack", w => w.Op('0').Op('0'), null),
            ("no-mark", w => w.Op('u'), null),
            ("mark-in-the-way", w => w.Op('N').Op('(').Op(0x86), null),
            ("unknown-memo", w => w.Op('j').UInt32(uint.MaxValue), null),
            ("far-memo", w => w.Op('N').Op('r').UInt32(uint.MaxValue), null),
            ("two-values", w => w.Op('N').Op('N'), null),
            ("nothing", _ => { }, null),
            ("odd-items", w => w.Op('}').Op('(').Text("a").Op('u'), null),
            ("items-into-a-list", w => w.Op(']').Text("a").Text("b").Op('s'), null),
            ("append-to-a-dict", w => w.Op('}').Op('N').Op('a'), null),
            ("call-of-text", w => w.Text("os.system").Op(')').Op('R'), null),
            ("call-with-a-list", w => w.Global("collections", "OrderedDict").Op(']').Op('R'), null),
            ("bare-number", w => w.Op('K').Raw(1), null),
            ("list-in-itself", w => w.Op(']').Op('q').Raw(0).Op('h').Raw(0).Op('a'), null),
            ("dict-in-itself", w => w.Op('}').Op('q').Raw(0).Text("a").Op('h').Raw(0).Op('s'), null),
            ("deep", w => Repeat(w, 200_000, w => w.Op(']')).Op('K').Raw(1).Raw([.. Enumerable.Repeat((byte)'a', 200_000)]), null),
            ("deep-tuples", w => Repeat(w.Op(')'), 500_000, w => w.Op(0x85)), null),
            ("deep-marks", w => Repeat(w, 2_000_000, w => w.Op('(')), null),
            ("two-million-lists", w => Repeat(w, 2_000_000, w => w.Op(']')), null),
            ("two-million-memos", w => Repeat(w.Op('N'), 2_000_000, w => w.Op(0x94)), null),
            ("billion-laughs", w => Doubled(w.Text("a"), 60), null),
            ("many-views", w => Doubled(w.Tensor("FloatStorage", "0", 64, 0, [8], [1]), 17), null),
            ("more-views", w => Doubled(w.Tensor("FloatStorage", "0", 64, 0, [8], [1]), 63), null),
            ("long-name", w => w.Dict((new string('a', 100_000), w => w.Tensor("FloatStorage", "0", 64, 0, [8], [1]))), null),
            ("same-name-twice", w => w.Dict(("a", w => w.Tensor("FloatStorage", "0", 64, 0, [8], [1])), ("a", w => w.Tensor("FloatStorage", "0", 64, 0, [8], [1]))), "two tensors named 'a'"),
            ("name-without-end", w => w.Op('c').Raw([.. Enumerable.Repeat((byte)'a', 100_000)]), null),
            ("name-of-control-characters", w => w.Op('c').Raw("o\u001b[2Js\r\nsystem\n"u8), "system"),
        ];
        // Each in a zip archive, most in the older format as well, and those that ask for a function also as a bare pickle.
        foreach (var (name, write, named) in hostile)
        {
            var writer = new PickleWriter(4);
            write(writer);
            var pickle = writer.Stop().ToArray();
            yield return new($"pickle-{name}.ckpt", PickleWriter.Zip(pickle, [("0", data)]), named);
            if (pickle.Length < 1000 && name != "storage-path")
                yield return new($"pickle-{name}-before-1.6.pt", PickleWriter.Legacy(pickle, [("0", 64, data)]), named);
            if (named?.IndexOf('.') > 0)
                yield return new($"pickle-{name}-bare.pkl", pickle, named);
        }

        static PickleWriter Repeat(PickleWriter writer, int count, Action<PickleWriter> write)
        {
            for (var i = 0; i < count; i++)
                write(writer);
            return writer;
        }

        static void One(PickleWriter writer, long offset, long[] shape, long[] stride) => writer.Dict(("a", w => w.Tensor("FloatStorage", "0", 64, offset, shape, stride)));

        // Each pair holds the one before twice: 2^levels leaves in a few bytes.
        static void Doubled(PickleWriter writer, int levels) => Repeat(writer, levels, w => w.Op('2').Op(0x86));
    }
}
