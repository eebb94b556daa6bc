// The library from a program of your own: load once, generate as often as you like, cancel at any time.
//   dotnet run --project samples/Hello -c Release -- sd15/ v3_sd15_mm.ckpt "a corgi running on the beach" corgi.gif
using AnimateDiff;

if (args is not [var baseModel, var motionModule, var prompt, var output])
{
    Console.Error.WriteLine("usage: Hello BASE MOTION PROMPT OUT");
    return 2;
}

using var cancellation = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    cancellation.Cancel();
};

var progress = new Progress<GenerationProgress>(step => Console.Error.WriteLine($"{step.Stage} {step.Done}/{step.Total}"));
using var pipeline = await AnimateDiffPipeline.LoadAsync(new PipelineOptions { Base = baseModel, Motion = motionModule }, progress, cancellation.Token);
await pipeline.GenerateFileAsync(new GenerationRequest(prompt) { Seed = 42, Steps = 25 }, output, fps: 8, progress: progress, cancellationToken: cancellation.Token);
Console.WriteLine(output);
return 0;
