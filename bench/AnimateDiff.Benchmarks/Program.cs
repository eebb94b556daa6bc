using AnimateDiff.Benchmarks;

switch (args)
{
    case ["random-model", var folder]:
        RandomModel.Write(folder);
        return 0;
    default:
        Console.Error.WriteLine("""
            usage: AnimateDiff.Benchmarks random-model DIR
                writes DIR/sd15/ (a diffusers folder of Stable Diffusion 1.5's size) and DIR/motion-v3.safetensors, with random weights in fp16
            """);
        return 2;
}
