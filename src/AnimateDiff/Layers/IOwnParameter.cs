using TorchSharp.Modules;

namespace AnimateDiff.Layers;

/// <summary>A module with a parameter of its own, not of a layer in it: what loads weights sets it by this.</summary>
internal interface IOwnParameter
{
    /// <summary>Its name in the state dict, without the module's.</summary>
    string ParameterName { get; }

    /// <summary>Takes over a parameter; the one before is disposed.</summary>
    void SetParameter(Parameter value);
}
