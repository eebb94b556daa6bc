namespace AnimateDiff.Weights.Layouts;

/// <summary>
/// What training scripts leave around the names: <c>state_dict.</c> beside an optimizer's state, <c>module.</c> of distributed data parallel, <c>controlnet.</c> of SparseCtrl's training.
/// </summary>
internal static class Wrappers
{
    private static readonly string[] Around = ["module.", "controlnet.", "motion_module."];

    /// <summary>The tensors inside the wrappers, under their bare names; the state dict itself where there are none.</summary>
    public static StateDict Strip(StateDict file)
    {
        while (Find(file) is { } prefix)
            file = file.Select(name => name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : null);
        return file;
    }

    private static string? Find(StateDict file)
    {
        if (file.Keys.Any(name => name.StartsWith("state_dict.", StringComparison.Ordinal)))
            return "state_dict.";
        return Around.FirstOrDefault(prefix => file.Count > 0 && file.Keys.All(name => name.StartsWith(prefix, StringComparison.Ordinal)));
    }
}
