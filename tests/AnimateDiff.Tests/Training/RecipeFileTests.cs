using AnimateDiff.Training;

namespace AnimateDiff.Tests.Training;

/// <summary>The recipes of the repository.</summary>
public class RecipeFileTests
{
    public static TheoryData<string> Files =>
        [.. Directory.EnumerateFiles(Path.Combine(Goldens.Repository, "recipes"), "*.yaml", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(Goldens.Repository, path)).Order()];

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_recipe_is_understood_before_and_after_it_is_copied_into_a_run(string path)
    {
        using var folder = new TempFolder();
        var text = RecipeText.Load(Path.Combine(Goldens.Repository, path), ["seed=9"]);
        var recipe = TrainingRecipe.Read(text);
        Assert.Equal(9UL, recipe.Seed);
        var copy = TrainingRecipe.Read(RecipeText.Load(folder.Write("copy.yaml", text.ToString()), []));
        Assert.Equal((recipe.Stage, recipe.Base, recipe.Steps, recipe.Rate, recipe.Optimizer), (copy.Stage, copy.Base, copy.Steps, copy.Rate, copy.Optimizer));
        Assert.Equal(recipe.Data.Paths, copy.Data.Paths);
        if (recipe.Stage is TrainingStage.DomainAdapter or TrainingStage.ImageFinetune or TrainingStage.Vae or TrainingStage.Controlnet)
            Assert.Equal(1, recipe.Data.Frames);
    }

    [Fact]
    public void What_a_recipe_leaves_out_is_the_official_trainings()
    {
        using var folder = new TempFolder();
        TrainingRecipe Read(string stage) => TrainingRecipe.Read(RecipeText.Load(folder.Write("recipe.yaml", $"stage: {stage}\nbase: b\nmotion: m\ndata: {{path: d}}"), stage.StartsWith("motion") ? [] : ["motion=null"]));
        var motion = Read("motion-module");
        Assert.Equal((1e-4, 16, 4, "linear"), (motion.LearningRate, motion.Data.Frames, motion.Data.Stride, motion.BetaShape.ToString().ToLowerInvariant()));
        Assert.Equal((0.9, 0.999, 1e-8, 0.01, 1.0), (motion.Optimizer.Beta1, motion.Optimizer.Beta2, motion.Optimizer.Epsilon, motion.Optimizer.WeightDecay, motion.Optimizer.MaxGradNorm));
        Assert.Equal((1e-5, 50, 1), (Read("image-finetune").LearningRate, Read("image-finetune").BatchSize, Read("image-finetune").Data.Frames));
        Assert.Equal((16, 64), (Read("domain-adapter").Rank, Read("motion-lora").Rank));
    }
}
