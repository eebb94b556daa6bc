using System.Diagnostics;

namespace AnimateDiff.Benchmarks;

/// <summary>Products of many rows, as libtorch's linear and as 1×1 convolutions, in GFLOP per second of processor time on one thread.</summary>
internal static class LinearSpeed
{
    private const double Work = 2e10;
    private const int Images = 16;

    private static readonly (int Rows, int Inputs, int Outputs)[] Shapes =
        [(8192, 48, 384), (512, 96, 768), (16384, 320, 320), (16384, 320, 2560), (16384, 1280, 320), (4096, 640, 5120), (1024, 1280, 10240)];

    public static void Run()
    {
        set_num_threads(1);
        foreach (var type in new[] { ScalarType.Float32, ScalarType.BFloat16 })
            foreach (var shape in Shapes)
                foreach (var backward in new[] { false, true })
                    Measure(type, shape, backward);
    }

    private static void Measure(ScalarType type, (int Rows, int Inputs, int Outputs) shape, bool backward)
    {
        using var scope = NewDisposeScope();
        var (rows, inputs, outputs) = shape;
        var x = randn([rows, inputs], type, requires_grad: backward);
        var weight = randn([outputs, inputs], type, requires_grad: backward);
        var gradient = randn([rows, outputs], type);
        var linear = Speed(() => nn.functional.linear(x, weight));
        var convolution = Speed(() => nn.functional.conv2d(x.view(Images, rows / Images, 1, inputs).permute(0, 3, 1, 2), weight.view(outputs, inputs, 1, 1)).permute(0, 2, 3, 1).view(rows, outputs));
        Console.WriteLine($"{type} {rows}×{inputs} → {outputs}{(backward ? " with gradients" : "")}: linear {linear:0}, convolution {convolution:0} GFLOP/s");

        double Speed(Func<Tensor> multiply)
        {
            var flop = 2.0 * rows * inputs * outputs * (backward ? 3 : 1);
            var times = Math.Max(3, (int)(Work / flop));
            Once();
            var begun = Process.GetCurrentProcess().TotalProcessorTime;
            for (var i = 0; i < times; i++)
                Once();
            return flop * times / (Process.GetCurrentProcess().TotalProcessorTime - begun).TotalSeconds / 1e9;

            void Once()
            {
                using var made = NewDisposeScope();
                var y = multiply();
                if (backward)
                    y.backward([gradient]);
            }
        }
    }
}
