using AnimateDiff.Tests.Text;

namespace AnimateDiff.Tests.EndToEnd;

/// <summary>Tests of commands that run the reference model: a folder for what they write, and a small vocabulary.</summary>
public abstract class ModelCommandTests : IDisposable
{
    private protected readonly TempFolder _folder = new();
    private protected readonly TempFolder _vocabulary = Vocabularies.Small();

    /// <summary>The options that name the model.</summary>
    private protected string[] Model => ["--base", Goldens.Model("nano-sd15"), "--motion", Goldens.Model("motion-v2.safetensors"), "--tokenizer", _vocabulary.Path];

    public void Dispose()
    {
        _folder.Dispose();
        _vocabulary.Dispose();
        GC.SuppressFinalize(this);
    }
}
