using AnimateDiff.Weights;
using static AnimateDiff.Tests.Weights.Layouts.LayoutFixtures;

namespace AnimateDiff.Tests.Weights.Layouts;

public sealed class PairingTests
{
    private static readonly ModelKind Sd15 = ModelDetection.Detect(Unread(RealSizes.UNet(RealSizes.Sd15, [true, true, true, false], [1, 1, 1, 1], 768, linear: false, added: false)))
        with
    { Kind = CheckpointKind.BaseFile };
    private static readonly ModelKind Nano = CheckpointInspector.KindOf(Goldens.Model("nano-sd15"));
    private static readonly ModelKind NanoV2 = CheckpointInspector.KindOf(Goldens.Model("motion-v2.safetensors"));
    private static readonly ModelKind NanoV3 = CheckpointInspector.KindOf(Goldens.Model("motion-v3.ckpt"));
    private static readonly ModelKind Adapter = CheckpointInspector.KindOf(Goldens.Model("domain-adapter.ckpt"));
    private static readonly ModelKind ZoomIn = CheckpointInspector.KindOf(Goldens.Model("motionlora-zoom-in.ckpt"));
    private static readonly ModelKind Kohya = CheckpointInspector.KindOf(Goldens.Model("kohya-style.safetensors"));
    private static readonly ModelKind SdxlModule = ModelDetection.Detect(Unread(RealSizes.OfficialMotion(RealSizes.Sdxl, midBlock: false, rows: 32)));

    [Fact]
    public void What_belongs_together_passes()
    {
        ModelPairing.RequireBase("x", Nano);
        ModelPairing.CheckMotion("x", NanoV2, Nano);
        ModelPairing.CheckMotion("x", NanoV3, Nano);
        ModelPairing.CheckDomainAdapter("x", Adapter, Nano);
        ModelPairing.CheckMotionLora("x", ZoomIn, NanoV2);
        ModelPairing.CheckLora("x", Kohya, Nano);
        ModelPairing.CheckLora("x", Adapter, Nano);
    }

    [Fact]
    public void An_adapter_is_no_MotionLora_and_the_other_way_round()
    {
        Refused(() => ModelPairing.CheckMotionLora("x", Adapter, NanoV2), "x is a domain adapter for SD1.5, not a MotionLoRA; give it as --domain-adapter.");
        Refused(() => ModelPairing.CheckDomainAdapter("x", ZoomIn, Nano), "x is a MotionLoRA for SD1.5, not a domain adapter; give it as --motion-lora.");
        Refused(() => ModelPairing.CheckDomainAdapter("x", Kohya, Nano), "not a domain adapter; give it as --lora.");
        Refused(() => ModelPairing.CheckLora("x", ZoomIn, Nano), "not a LoRA for the image layers; give it as --motion-lora.");
    }

    [Fact]
    public void A_v2_MotionLora_needs_force_on_another_version()
    {
        Refused(() => ModelPairing.CheckMotionLora("x", ZoomIn, NanoV3), "made for v2 motion modules (it changes the middle block), but the motion module is v3");
        ModelPairing.CheckMotionLora("x", ZoomIn, NanoV3, force: true);
        var v3Lora = ModelDetection.Detect(Unread(RealSizes.MotionLora(RealSizes.Sd15, midBlock: false)));
        var v2 = ModelDetection.Detect(Unread(RealSizes.OfficialMotion(RealSizes.Sd15, midBlock: true, rows: 32)));
        Refused(() => ModelPairing.CheckMotionLora("x", v3Lora, v2), "made for v1 or v3 motion modules");
    }

    [Fact]
    public void Families_and_widths_must_agree()
    {
        Refused(() => ModelPairing.CheckMotion("x", SdxlModule, Sd15), "x is an SDXL motion module, but it is to go with an SD1.5 checkpoint; use one made for SD1.5.");
        Refused(() => ModelPairing.CheckMotion("x", NanoV3, Sd15), "32 channels in block 0");
        Refused(() => ModelPairing.CheckMotionLora("x", ModelDetection.Detect(Unread(RealSizes.MotionLora(RealSizes.Sd15, midBlock: true))), NanoV2), "320 channels in block 0");
        Refused(() => ModelPairing.CheckLora("x", Kohya, Nano with { BlockWidths = [], CrossAttentionWidth = 768 }), "text embeddings of width 48");
    }

    [Fact]
    public void Files_given_in_the_wrong_place_say_where_they_belong()
    {
        Refused(() => ModelPairing.RequireMotion("x", Nano), "x is an SD1.5 model folder, not a motion module; give it as --base.");
        Refused(() => ModelPairing.RequireBase("x", NanoV3), "not a base model; give it as --motion.");
        Refused(() => MotionFiles.Open(Goldens.Model("domain-adapter.ckpt")), "give it as --domain-adapter");
        Refused(() => BaseModelFiles.Open(Goldens.Model("motion-v3.ckpt")), "give it as --motion");
        Refused(() => LoraFiles.Open(Goldens.Model("motion-v3.ckpt")), "not a LoRA; give it as --motion");
        Refused(() => ModelPairing.CheckControl("x", Adapter, CheckpointKind.ControlNet, Nano), "not a ControlNet");
    }

    private static void Refused(Action pair, string reason) => Assert.Contains(reason, Assert.Throws<FileException>(pair).Message);
}
