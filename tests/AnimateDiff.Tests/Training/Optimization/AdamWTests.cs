using AnimateDiff.Training.Optimization;
using Parameter = TorchSharp.Modules.Parameter;

namespace AnimateDiff.Tests.Training.Optimization;

/// <summary>The optimizer against PyTorch's own, and what it does beside: clipping, accumulation, averages, weights in fp32.</summary>
public class AdamWTests
{
    [Theory]
    [InlineData(0.0)]
    [InlineData(0.1)]
    public void Twenty_steps_are_those_of_PyTorch(double decay)
    {
        using var scope = NewDisposeScope();
        var (own, theirs) = (Problem.Start(), Problem.Start());
        using var optimizer = new AdamW(own.Named, new OptimizerOptions { WeightDecay = decay, MaxGradNorm = null });
        using var reference = optim.AdamW(theirs.Parameters, lr: 1e-2, weight_decay: decay);
        for (var step = 0; step < 20; step++)
        {
            own.Loss(step).backward();
            optimizer.Collect();
            optimizer.Step(1e-2);
            reference.zero_grad();
            theirs.Loss(step).backward();
            reference.step();
            foreach (var (a, b) in own.Parameters.Zip(theirs.Parameters))
                Assert.InRange(Goldens.Difference(a, b), 0, 1e-6);
        }
        Assert.InRange(Goldens.Difference(own.Parameters[0], Problem.Start().Parameters[0]), 0.05, 1);
    }

    [Theory]
    [InlineData(0.01)]
    [InlineData(1000)]
    public void Gradients_are_clipped_as_PyTorch_does(double most)
    {
        using var scope = NewDisposeScope();
        var (own, theirs) = (Problem.Start(), Problem.Start());
        using var optimizer = new AdamW(own.Named, new OptimizerOptions { MaxGradNorm = most, Beta1 = 0 });
        own.Loss(0).backward();
        optimizer.Collect();
        theirs.Loss(0).backward();
        var norm = nn.utils.clip_grad_norm_(theirs.Parameters, most);
        Assert.Equal(norm, optimizer.Step(1e-3), 1e-5 * norm);
        var means = optimizer.State().Where(entry => entry.Name.StartsWith("mean.", StringComparison.Ordinal)).ToDictionary(entry => entry.Name[5..], entry => entry.Tensor);
        foreach (var (name, parameter) in theirs.Named)                                // without momentum the first moment is the gradient
            Assert.InRange(Goldens.Difference(means[name], parameter.grad!), 0, 1e-6 * Math.Min(1, most));
    }

    [Fact]
    public void Passes_add_up_to_the_step_of_all_of_them()
    {
        using var scope = NewDisposeScope();
        var (once, twice) = (Problem.Start(), Problem.Start());
        using var first = new AdamW(once.Named, new OptimizerOptions { MaxGradNorm = null });
        using var second = new AdamW(twice.Named, new OptimizerOptions { MaxGradNorm = null });
        (once.Loss(0) + once.Loss(1)).backward();
        first.Collect();
        foreach (var part in new[] { 0, 1 })
        {
            twice.Loss(part).backward();
            second.Collect();
        }
        Assert.Equal(first.Step(1e-2), second.Step(1e-2), 1e-4);
        foreach (var (a, b) in first.State().Zip(second.State()))
            Assert.InRange(Goldens.Difference(a.Tensor, b.Tensor), 0, 1e-6);
    }

    [Fact]
    public void The_average_is_that_of_the_weights_of_every_step_and_can_be_shown()
    {
        using var scope = NewDisposeScope();
        var problem = Problem.Start();
        using var optimizer = new AdamW(problem.Named, new OptimizerOptions { EmaDecay = 0.5 });
        var expected = problem.Parameters[0].detach().clone().to(ScalarType.Float64);
        for (var step = 1; step <= 6; step++)
        {
            problem.Loss(step).backward();
            optimizer.Collect();
            optimizer.Step(1e-1);
            var decay = Math.Min(0.5, (1.0 + step) / (10.0 + step));
            expected = expected * decay + problem.Parameters[0].detach().to(ScalarType.Float64) * (1 - decay);
        }
        var weight = problem.Parameters[0].detach().clone();
        Tensor Weight(bool averaged) => optimizer.Weights(averaged).Single(entry => entry.Name == "weight").Tensor;
        Assert.InRange(Goldens.Difference(Weight(averaged: true), expected), 0, 1e-6);
        Assert.InRange(Goldens.Difference(weight, expected), 1e-2, 10);

        optimizer.Use(averaged: true);
        Assert.InRange(Goldens.Difference(problem.Parameters[0].detach(), expected), 0, 1e-6);
        optimizer.Use(averaged: false);
        Assert.Equal(0, Goldens.Difference(problem.Parameters[0].detach(), weight));
        Assert.InRange(Goldens.Difference(Weight(averaged: true), expected), 0, 1e-6);
    }

    [Fact]
    public void Steps_that_bf16_would_lose_move_the_weights()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var parameter = new Parameter(ones(4, ScalarType.BFloat16), requires_grad: true);
        using var optimizer = new AdamW([("one", parameter)], new OptimizerOptions { WeightDecay = 0, EmaDecay = 0.5 });
        for (var step = 1; step <= 40; step++)
        {
            using (enable_grad())
                parameter.to(ScalarType.Float32).sum().backward();
            optimizer.Collect();
            optimizer.Step(1e-4);                                                       // bf16 has steps of 2⁻⁸ below 1: 1 − 1e-4 is 1 again
            var master = optimizer.Weights(averaged: false).Single().Tensor;
            Assert.Equal(1 - 1e-4 * step, master[0].item<float>(), 1e-6);
        }
        Assert.Equal(0.99609375f, parameter[0].to(ScalarType.Float32).item<float>());
        optimizer.Use(averaged: true);
        optimizer.Use(averaged: false);
        Assert.Equal(0.99609375f, parameter[0].to(ScalarType.Float32).item<float>());
    }

    // Scalars made in passing were finalised while native code read them: steps failed, or went astray, when another thread's garbage was collected.
    [Fact]
    public async Task Steps_are_the_same_while_garbage_is_collected()
    {
        using var stop = new CancellationTokenSource();
        var litter = Task.Run(() =>
        {
            var kept = new byte[100][];
            for (var i = 0; !stop.IsCancellationRequested; i++)
                kept[i % kept.Length] = new byte[50_000];
        }, TestContext.Current.CancellationToken);
        try
        {
            Assert.Equal(Run(), Run());
        }
        finally
        {
            await stop.CancelAsync();
            await litter;
        }

        static float[] Run()
        {
            using var scope = NewDisposeScope();
            var many = Enumerable.Range(0, 20).Select(i => ($"{i:00}", new Parameter(ones(64), requires_grad: true))).ToArray();
            using var optimizer = new AdamW(many, new OptimizerOptions { EmaDecay = 0.9 });
            for (var step = 0; step < 300; step++)
            {
                foreach (var (_, parameter) in many)
                    parameter.grad = ones_like(parameter);
                optimizer.Collect();
                optimizer.Step(1e-3);
            }
            return [.. optimizer.State().SelectMany(entry => entry.Tensor.data<float>().ToArray())];
        }
    }

    [Fact]
    public void A_gradient_that_is_not_a_number_changes_nothing()
    {
        using var scope = NewDisposeScope();
        var problem = Problem.Start();
        using var optimizer = new AdamW(problem.Named, new OptimizerOptions());
        problem.Loss(0).backward();
        optimizer.Collect();
        optimizer.Step(1e-2);
        var before = optimizer.State().Select(entry => entry.Tensor.clone()).ToArray();
        (problem.Loss(1) * double.NaN).backward();
        optimizer.Collect();
        Assert.True(double.IsNaN(optimizer.Step(1e-2)));
        Assert.Equal(1, optimizer.Steps);
        Assert.All(optimizer.State().Zip(before), pair => Assert.Equal(0, Goldens.Difference(pair.First.Tensor, pair.Second)));
    }

    /// <summary>A layer with a bias, whose input differs from step to step.</summary>
    private sealed class Problem
    {
        private readonly Tensor _inputs;

        private Problem(Tensor weight, Tensor bias, Tensor inputs) =>
            (Parameters, _inputs) = ([new Parameter(weight, requires_grad: true), new Parameter(bias, requires_grad: true)], inputs);

        public Parameter[] Parameters { get; }

        public (string Name, Parameter Parameter)[] Named => [("weight", Parameters[0]), ("bias", Parameters[1])];

        public static Problem Start()
        {
            using var generator = new Generator(7, CPU);
            return new Problem(randn([3, 5], generator: generator), zeros(3), randn([21, 8, 5], generator: generator));
        }

        public Tensor Loss(int step) => (nn.functional.linear(_inputs[step], Parameters[0], Parameters[1]) - _inputs[step].sin().narrow(1, 0, 3)).square().mean();
    }
}
