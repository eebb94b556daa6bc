namespace AnimateDiff.Training;

/// <summary>What a run trains.</summary>
internal enum TrainingStage
{
    /// <summary>LoRA on the attention of the image layers, from single video frames (Guo et al. 2023, §4.1).</summary>
    DomainAdapter,

    /// <summary>The motion modules, with everything else frozen (§4.2).</summary>
    MotionModule,

    /// <summary>LoRA on the motion modules' self-attention: one movement of the camera (§4.3).</summary>
    MotionLora,

    /// <summary>The image UNet, whole or as LoRA, on images: a personalised model, or one from nothing.</summary>
    ImageFinetune,

    /// <summary>The autoencoder, on images.</summary>
    Vae,

    /// <summary>A ControlNet on images, with the base frozen (Zhang et al. 2023, arXiv 2302.05543).</summary>
    Controlnet,

    /// <summary>A SparseCtrl encoder on clips, with base and motion modules frozen (Guo et al. 2023, arXiv 2311.16933).</summary>
    Sparsectrl,

    /// <summary>The image UNet on one video: its queries, and attention along the frames (Tune-A-Video: Wu et al. 2023, arXiv 2212.11565).</summary>
    TuneAVideo,
}
