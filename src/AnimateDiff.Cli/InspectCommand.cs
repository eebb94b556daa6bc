using System.CommandLine;
namespace AnimateDiff.Cli;
internal static class InspectCommand { public static Command Create() => new("inspect"); }
