using AnimateDiff.Weights;

namespace AnimateDiff.Tests.Weights;

/// <summary>Files from the net are opened by strangers' scripts: none may do anything but be refused.</summary>
public class LoaderAbuseTests
{
    private const long Allowance = 200_000_000;

    [Fact]
    public async Task Every_damaged_or_hostile_file_is_refused_with_a_sentence_and_without_harm()
    {
        using var folder = new TempFolder();
        var marker = folder["it-was-run"];
        var count = 0;
        foreach (var file in MutatedFiles.All(marker))
        {
            count++;
            var outcome = await Outcome(folder, file);
            if (outcome is not FileException refusal)
                Assert.Fail($"{file.Name}: expected a FileException, got {outcome?.ToString() ?? "a whole file"}");
            else
            {
                Assert.True(refusal.Message.Length > 20 && refusal.Message.Contains(folder.Path) && !refusal.Message.Any(letter => char.IsControl(letter)), $"{file.Name}: {refusal.Message}");
                Assert.True(file.Named is null || refusal.Message.Contains(file.Named), $"{file.Name} should name {file.Named}: {refusal.Message}");
            }
            Assert.False(File.Exists(marker), $"{file.Name} was run.");
        }
        Assert.InRange(count, 500, 700);
    }

    [Fact]
    public async Task Flipped_bits_anywhere_end_in_a_refusal_or_in_tensors()
    {
        using var folder = new TempFolder();
        foreach (var file in MutatedFiles.FlippedAnywhere(400))
            Assert.True(await Outcome(folder, file) is FileException or null, file.Name);
    }

    [Fact]
    public async Task The_files_that_were_damaged_are_whole()
    {
        using var folder = new TempFolder();
        foreach (var (name, bytes) in new[] { ("s", MutatedFiles.GoodSafetensors), ("z", MutatedFiles.GoodZip), ("d", MutatedFiles.GoodDeflated), ("l", MutatedFiles.GoodLegacy) })
            Assert.Null(await Outcome(folder, new MutatedFile(name, bytes)));
    }

    [Fact]
    public void Refused_files_are_closed()
    {
        using var folder = new TempFolder();
        var path = folder.Write("a", MutatedFiles.GoodZip[..500]);
        Assert.Throws<FileException>(() => WeightFile.Open(path));
        using var exclusive = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
    }

    /// <summary>Opens a file and reads every tensor of it: null, or what was thrown. Neither may it take long, nor more memory than the file has bytes and 200 MB.</summary>
    private static async Task<Exception?> Outcome(TempFolder folder, MutatedFile file)
    {
        var path = folder.Write("file" + Path.GetExtension(file.Name), file.Bytes);
        var (outcome, allocated) = await Task.Factory.StartNew(() => Load(path), TaskCreationOptions.LongRunning).WaitAsync(TimeSpan.FromSeconds(30));
        File.Delete(path);
        Assert.True(allocated < file.Bytes.Length + Allowance, $"{file.Name} took {allocated} bytes.");
        return outcome;
    }

    /// <summary>The bytes are all that the managed heap was asked for, whether freed or not, and the largest tensor.</summary>
    private static (Exception? Outcome, long Bytes) Load(string path)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        long largest = 0;
        Exception? outcome = null;
        try
        {
            using var weights = WeightFile.Open(path);
            foreach (var tensor in weights.Values)
            {
                largest = Math.Max(largest, tensor.ByteCount);
                tensor.Read().Dispose();
            }
        }
        catch (Exception error)
        {
            outcome = error;
        }
        return (outcome, GC.GetAllocatedBytesForCurrentThread() - before + largest);
    }
}
