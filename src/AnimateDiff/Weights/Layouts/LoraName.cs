namespace AnimateDiff.Weights.Layouts;

/// <summary>Which tensor of a low-rank layer a name means.</summary>
internal enum LoraPart { Down, Up, Alpha }

/// <summary>What every LoRA layout's names say: the layer (<c>unet.…</c>, <c>text_encoder.…</c>, by diffusers' module path) and the part.</summary>
internal readonly record struct LoraName(string Module, LoraPart Part);
