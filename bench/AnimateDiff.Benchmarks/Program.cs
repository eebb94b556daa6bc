using AnimateDiff.Benchmarks;

switch (args)
{
    case ["random-model", var folder]:
        RandomModel.Write(folder);
        return 0;
    case ["real-size", var folder, var dtype, .. var chunks]:
        RealSize.Run(folder, dtype, chunks is [] ? [1] : [.. chunks.Select(int.Parse)]);
        return 0;
    case ["load", var folder, var dtype, .. var times]:
        LoadSpeed.Load(folder, dtype, times is [] ? 5 : int.Parse(times[0]));
        return 0;
    case ["start", var program, .. var times]:
        LoadSpeed.Start(program, times is [] ? 5 : int.Parse(times[0]));
        return 0;
    case ["libtorch"]:
        LoadSpeed.Library();
        return 0;
    case ["training", var model, var motion, var dtype, var frames, var pixels, .. var pairs]:
        TrainingSpeed.Compare([model, motion, dtype, frames, pixels], pairs is [] ? 5 : int.Parse(pairs[0]));
        return 0;
    case ["training-side", var which, var model, var motion, var dtype, var frames, var pixels]:
        TrainingSpeed.Serve(which, [model, motion, dtype, frames, pixels]);
        return 0;
    case ["step", var model, var motion, var dtype, var frames, var pixels, .. var pairs]:
        StepSpeed.Compare([model, motion, dtype, frames, pixels], pairs is [] ? 5 : int.Parse(pairs[0]));
        return 0;
    case ["step-side", var which, var model, var motion, var dtype, var frames, var pixels]:
        StepSpeed.Serve(which, [model, motion, dtype, frames, pixels]);
        return 0;
    case ["modes", var model, var motion, var frames, var clips, var file]:
        await ModeCost.RunAsync(model, motion, int.Parse(frames), int.Parse(clips), file);
        return 0;
    case ["linear"]:
        LinearSpeed.Run();
        return 0;
    default:
        Console.Error.WriteLine("""
            usage: AnimateDiff.Benchmarks random-model DIR
                writes DIR/sd15/ (a diffusers folder of Stable Diffusion 1.5's size) and DIR/motion-v3.safetensors, with random weights in fp16
                   AnimateDiff.Benchmarks real-size DIR fp32|bf16 [CHUNK…]
                seconds and peak memory of each stage with that model; VAE decoding with CHUNK frames at once
                   AnimateDiff.Benchmarks load DIR fp32|bf16 [TIMES]
                seconds to load that model and GB of its files a second
                   AnimateDiff.Benchmarks start PROGRAM [TIMES]
                seconds from the start of animatediff-cli, at PROGRAM, to the embedded model's first denoising step, beside those that libtorch takes to load
                   AnimateDiff.Benchmarks step BASE MOTION fp32|bf16 FRAMES PIXELS [PAIRS]
                steps and decoded clips of this project and of a naive reference in fp32 in turn: seconds, their ratio, GFLOP/s, and peak memory
                   AnimateDiff.Benchmarks training BASE MOTION fp32|bf16 FRAMES PIXELS [PAIRS]
                the same of steps that train the motion modules, with recomputed activations
                   AnimateDiff.Benchmarks modes BASE MOTION FRAMES CLIPS FILE
                what the approximate modes cost in PSNR and save in processor time, as the table of docs/speed.md; FILE keeps what each clip came to
                   AnimateDiff.Benchmarks linear
                products of matrices by libtorch's two ways, in GFLOP/s of one core
            """);
        return 2;
}
