using System.CommandLine;
namespace AnimateDiff.Cli;
internal static class ConvertCommand { public static Command Create() => new("convert"); }
