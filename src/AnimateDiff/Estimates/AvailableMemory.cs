using System.Globalization;

namespace AnimateDiff.Estimates;

/// <summary>How much memory this process may have in all: what it has and what is free, within the limits of its control groups.</summary>
internal static class AvailableMemory
{
    /// <summary>Bytes.</summary>
    public static long Bytes() => OperatingSystem.IsLinux() ? Bytes("/") : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>The same from the files below a folder that stands for the root of the system.</summary>
    internal static long Bytes(string root)
    {
        var free = Kilobytes(Path.Combine(root, "proc/meminfo"), "MemAvailable:") + Kilobytes(Path.Combine(root, "proc/self/status"), "VmRSS:");
        long?[] bounds = [free, .. Limits(root)];
        return bounds.Min() ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
    }

    // Lines of /proc/self/cgroup are NUMBER:CONTROLLERS:/PATH. A group's limit binds those below it; in a container the path may be the host's, of which only the end is there.
    private static IEnumerable<long?> Limits(string root)
    {
        var file = Path.Combine(root, "proc/self/cgroup");
        foreach (var line in File.Exists(file) ? File.ReadAllLines(file) : [])
        {
            if (line.Split(':', 3) is not [_, var controllers, var path] || controllers is not ("" or "memory"))
                continue;
            var (top, name) = controllers == "" ? ("sys/fs/cgroup", "memory.max") : ("sys/fs/cgroup/memory", "memory.limit_in_bytes");
            for (var group = path.Trim('/'); ; group = Path.GetDirectoryName(group) ?? "")
            {
                yield return Limit(Path.Combine(root, top, group, name));
                if (group == "")
                    break;
            }
        }
    }

    private static long? Limit(string file)
        => File.Exists(file) && long.TryParse(File.ReadAllText(file).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var bytes) ? bytes : null;      // or "max"

    private static long? Kilobytes(string file, string name)
    {
        var line = File.Exists(file) ? File.ReadLines(file).FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal)) : null;
        return line is null ? null : long.Parse(line[name.Length..].Replace("kB", "").Trim(), CultureInfo.InvariantCulture) << 10;
    }
}
