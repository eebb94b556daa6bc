using AnimateDiff.Noise;

namespace AnimateDiff.Tests.Noise;

public class SchedulerOptionsTests
{
    [Fact]
    public void Names_are_those_of_the_command_line()
        => Assert.Equal(
            [
                "ddim", "euler", "euler-a", "dpmpp-2m", "dpmpp-2m-karras", "dpmpp-2m-sde-karras", "dpmpp-2s", "unipc", "pndm", "lms", "heun",
                "kdpm2", "ddpm", "lcm",
            ],
            Scheduler.All.Select(info => info.Name));

    [Theory]
    [InlineData("ddim", "leading", "1")]
    [InlineData("euler", "linspace", "0")]
    [InlineData("pndm", "leading", "0")]
    public void Every_default_has_animatediffs_betas(string name, string spacing, string offset)
    {
        var settings = Scheduler.Create(name, null, 25).Settings;
        Assert.Equal("linear", settings["beta_schedule"]);
        Assert.Equal("0.00085", settings["beta_start"]);
        Assert.Equal("0.012", settings["beta_end"]);
        Assert.Equal(spacing, settings["timestep_spacing"]);
        Assert.Equal(offset, settings["steps_offset"]);
    }

    [Fact]
    public void Settings_build_the_same_scheduler_again()
    {
        foreach (var info in Scheduler.All)
        {
            var scheduler = Scheduler.Create(info.Name, Set("beta_end=0.02"), 8);
            var again = Scheduler.Create(info.Name, scheduler.Settings, 8);
            Assert.Equal(scheduler.Options, again.Options);
            Assert.Equal(scheduler.Timesteps, again.Timesteps);
            Assert.Equal(info.Defaults.Keys, scheduler.Settings.Keys);
        }
    }

    [Theory]
    [InlineData("euler", "eta=0.5", "'eta'", "interpolation_type")]
    [InlineData("ddim", "clip_samples=true", "'clip_samples'", "clip_sample_range")]
    [InlineData("dpmpp-2s", "timestep_spacing=leading", "'timestep_spacing'", "solver_order")]
    [InlineData("unipc", "use_flow_sigmas=true", "'use_flow_sigmas'", "flow-matching")]
    [InlineData("ddim", "timestep_spacing=leadng", "leadng", "leading, trailing, linspace")]
    [InlineData("ddim", "timestep_spacing=Leading", "Leading", "leading, trailing, linspace")]
    [InlineData("ddim", "timestep_spacing=0", "timestep_spacing", "leading, trailing, linspace")]
    [InlineData("euler-a", "prediction_type=sample", "sample", "epsilon, v_prediction")]
    [InlineData("unipc", "solver_type=midpoint", "midpoint", "bh1, bh2")]
    [InlineData("dpmpp-2m", "algorithm_type=dpmsolver", "dpmsolver", "dpmsolver++, sde-dpmsolver++")]
    [InlineData("dpmpp-2m", "solver_order=4", "'4'", "1 to 3")]
    [InlineData("dpmpp-2m", "solver_order=two", "'two'", "a whole number")]
    [InlineData("dpmpp-2m-sde-karras", "solver_order=3", "'3'", "1 or 2")]
    [InlineData("dpmpp-2m-karras", "use_exponential_sigmas=true", "use_karras_sigmas", "use_exponential_sigmas")]
    [InlineData("ddim", "eta=1.5", "'1.5'", "0 to 1")]
    [InlineData("ddim", "eta=nan", "'nan'", "a number")]
    [InlineData("ddim", "clip_sample=1", "'1'", "true or false")]
    [InlineData("ddim", "beta_start=0", "'0'", "between 0 and 1")]
    [InlineData("ddim", "rescale_betas_zero_snr=true timestep_spacing=trailing", "rescale_betas_zero_snr", "v_prediction")]
    [InlineData("unipc", "lower_order_final=false", "lower_order_final", "sigma_min")]
    [InlineData("pndm", "skip_prk_steps=false num_train_timesteps=3", "3 steps", "at least 4")]
    public void Wrong_option_is_refused_with_what_would_be_right(string name, string settings, string found, string expected)
    {
        var error = Assert.Throws<RequestException>(() => Scheduler.Create(name, Set(settings), 3));
        Assert.Contains(found, error.Message);
        Assert.Contains(expected, error.Message);
    }

    [Theory]
    [InlineData("ddim", 0)]
    [InlineData("ddim", 1001)]
    [InlineData("ddim", 1000)]
    [InlineData("dpmpp-2m", 1000)]
    [InlineData("lcm", 51)]
    public void Impossible_number_of_steps_is_refused(string name, int steps)
        => Assert.Contains($"{steps} steps", Assert.Throws<RequestException>(() => Scheduler.Create(name, null, steps)).Message);

    [Fact]
    public void Unknown_scheduler_is_refused_with_the_names()
        => Assert.Contains("dpmpp-2m-karras", Assert.Throws<RequestException>(() => Scheduler.Create("dpm", null, 5)).Message);

    [Fact]
    public void Stable_diffusions_own_configuration_is_read()
    {
        const string json = """
            {
              "_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "num_train_timesteps": 1000,
              "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "trained_betas": null,
              "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "clip_sample": false
            }
            """;
        var own = Scheduler.FromConfigJson(json, 6);
        Assert.Equal("pndm", own.Info.Name);
        Assert.Equal(BetaShape.ScaledLinear, own.Options.BetaSchedule);
        Assert.Equal([831, 665, 665, 499, 333, 167, 1], own.Timesteps);

        var other = Scheduler.FromConfigJson(json, 6, "dpmpp-2m-karras", Set("beta_schedule=linear"));
        Assert.True(other.Options.UseKarrasSigmas);
        Assert.Equal(BetaShape.Linear, other.Options.BetaSchedule);
        Assert.Equal(1, other.Options.StepsOffset);
    }

    [Fact]
    public void What_a_configuration_leaves_out_is_as_in_diffusers()
    {
        var options = Scheduler.FromConfigJson("""{ "_class_name": "DDIMScheduler" }""", 5).Options;
        Assert.True(options.ClipSample);
        Assert.Equal(0, options.StepsOffset);
        Assert.Equal(0.02, options.BetaEnd);
    }

    [Fact]
    public void Infinity_and_another_classes_solver_names_are_read()
    {
        const string json = """
            { "_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity, "solver_type": "midpoint", "variance_type": null }
            """;
        Assert.Equal(double.NegativeInfinity, Scheduler.FromConfigJson(json, 5).Options.LambdaMinClipped);
        Assert.Equal(SolverType.Bh2, Scheduler.FromConfigJson(json, 5, "unipc").Options.SolverType);
    }

    [Theory]
    [InlineData("""{ "_class_name": "FlowMatchEulerDiscreteScheduler" }""", "FlowMatchEulerDiscreteScheduler")]
    [InlineData("""{ "_class_name": "UniPCMultistepScheduler", "use_flow_sigmas": true }""", "use_flow_sigmas")]
    [InlineData("""{ "_class_name": "EulerDiscreteScheduler", "trained_betas": [0.1, 0.2] }""", "trained_betas")]
    [InlineData("""{ "beta_start": 0.1 }""", "_class_name")]
    [InlineData("""[1, 2]""", "_class_name")]
    [InlineData("""{ "_class_name": """, "no JSON")]
    [InlineData("""{ "_class_name": "DDIMScheduler", "prediction_type": "flow_prediction" }""", "flow_prediction")]
    [InlineData("""{ "_class_name": "DDIMScheduler", "beta_end": 12 }""", "beta_end")]
    public void Configuration_that_cannot_be_run_is_a_file_error(string json, string found)
    {
        var folder = Directory.CreateTempSubdirectory("animatediff-").FullName;
        try
        {
            var path = Path.Combine(folder, "scheduler_config.json");
            File.WriteAllText(path, json);
            var error = Assert.Throws<FileException>(() => Scheduler.FromConfig(path, 5));
            Assert.Contains(found, error.Message);
            Assert.Contains(path, error.Message);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Wrong_option_over_a_good_configuration_is_not_the_files_fault()
    {
        var path = Path.Combine(Goldens.Model("nano-sd15"), "scheduler", "scheduler_config.json");
        Assert.Throws<RequestException>(() => Scheduler.FromConfig(path, 5, "euler", Set("eta=1")));
        Assert.Throws<RequestException>(() => Scheduler.FromConfig(path, 5, "dpm"));
        Assert.Throws<FileException>(() => Scheduler.FromConfig(path + ".missing", 5));
        Assert.Equal("euler", Scheduler.FromConfig(path, 5, "euler").Info.Name);
    }

    private static Dictionary<string, string> Set(string settings)
        => settings.Split(' ').Select(setting => setting.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);
}
