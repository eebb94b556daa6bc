using AnimateDiff.Cli;

using var cancellation = new Cancellation();
return await App.RunAsync(args, Console.Error, cancellation.Token);
