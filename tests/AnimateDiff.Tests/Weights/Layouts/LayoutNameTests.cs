using AnimateDiff.Weights;
using AnimateDiff.Weights.Layouts;
using static AnimateDiff.Tests.Weights.Layouts.LayoutFixtures;

namespace AnimateDiff.Tests.Weights.Layouts;

public sealed class LayoutNameTests
{
    [Theory]
    [InlineData("input_blocks.0.0.weight", "conv_in.weight")]
    [InlineData("input_blocks.4.0.skip_connection.bias", "down_blocks.1.resnets.0.conv_shortcut.bias")]
    [InlineData("input_blocks.5.1.transformer_blocks.0.attn2.to_k.weight", "down_blocks.1.attentions.1.transformer_blocks.0.attn2.to_k.weight")]
    [InlineData("input_blocks.6.0.op.weight", "down_blocks.1.downsamplers.0.conv.weight")]
    [InlineData("middle_block.2.in_layers.2.weight", "mid_block.resnets.1.conv1.weight")]
    [InlineData("middle_block.1.proj_in.weight", "mid_block.attentions.0.proj_in.weight")]
    [InlineData("output_blocks.2.1.conv.weight", "up_blocks.0.upsamplers.0.conv.weight")]
    [InlineData("output_blocks.5.2.conv.weight", "up_blocks.1.upsamplers.0.conv.weight")]
    [InlineData("output_blocks.11.1.norm.weight", "up_blocks.3.attentions.2.norm.weight")]
    [InlineData("output_blocks.11.0.emb_layers.1.weight", "up_blocks.3.resnets.2.time_emb_proj.weight")]
    [InlineData("time_embed.2.bias", "time_embedding.linear_2.bias")]
    [InlineData("label_emb.0.2.weight", "add_embedding.linear_2.weight")]
    [InlineData("out.2.weight", "conv_out.weight")]
    public void UNet_names_of_single_files_go_both_ways(string single, string diffusers)
    {
        Assert.Equal(diffusers, CompVisUNetLayout.ToDiffusers(single));
        Assert.Equal(single, CompVisUNetLayout.FromDiffusers(diffusers, block => block > 0));
    }

    [Fact]
    public void Every_UNet_name_comes_back_from_a_single_files()
    {
        using var unet = ModelFolder.Open(Goldens.Model("nano-sd15/unet"));
        foreach (var name in unet.Keys)
            Assert.Equal(name, CompVisUNetLayout.ToDiffusers(CompVisUNetLayout.FromDiffusers(name, block => block > 0)));
    }

    [Theory]
    [InlineData("down_blocks.0.motion_modules.1.temporal_transformer.transformer_blocks.0.attention_blocks.1.to_out.0.bias", "down_blocks.0.motion_modules.1.transformer_blocks.0.attn2.to_out.0.bias")]
    [InlineData("mid_block.motion_modules.0.temporal_transformer.transformer_blocks.0.ff_norm.weight", "mid_block.motion_modules.0.transformer_blocks.0.norm3.weight")]
    [InlineData("up_blocks.3.motion_modules.2.temporal_transformer.transformer_blocks.0.norms.1.weight", "up_blocks.3.motion_modules.2.transformer_blocks.0.norm2.weight")]
    [InlineData("up_blocks.3.motion_modules.2.temporal_transformer.norm.weight", "up_blocks.3.motion_modules.2.norm.weight")]
    [InlineData("up_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0.pos_encoder.pe", "up_blocks.0.motion_modules.0.transformer_blocks.0.pos_embed.pe")]
    [InlineData("conv_in.weight", "conv_in.weight")]
    public void Official_motion_names_go_both_ways(string official, string diffusers)
    {
        Assert.Equal(diffusers, OfficialMotionLayout.ToDiffusers(official));
        Assert.Equal(official, OfficialMotionLayout.FromDiffusers(diffusers));
    }

    [Theory]
    [InlineData("down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.up.weight", "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0")]
    [InlineData("unet.mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.up.weight", "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k")]
    [InlineData("mid_block.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.1.processor.to_q_lora.up.weight", "unet.mid_block.motion_modules.0.transformer_blocks.0.attn2.to_q")]
    [InlineData("mid_block.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0.to_out.processor.0_lora.up.weight", "unet.mid_block.motion_modules.0.transformer_blocks.0.attn1.to_out.0")]
    [InlineData("mid_block.motion_modules.0.temporal_transformer.transformer_blocks.0.ff.net.0.processor.proj_lora.up.weight", "unet.mid_block.motion_modules.0.transformer_blocks.0.ff.net.0.proj")]
    [InlineData("mid_block.motion_modules.0.temporal_transformer.transformer_blocks.0.ff.net.processor.2_lora.up.weight", "unet.mid_block.motion_modules.0.transformer_blocks.0.ff.net.2")]
    [InlineData("text_encoder.text_model.encoder.layers.3.self_attn.to_out_lora.up.weight", "text_encoder.text_model.encoder.layers.3.self_attn.out_proj")]
    [InlineData("text_encoder.text_model.encoder.layers.3.mlp.fc1.lora_linear_layer.up.weight", "text_encoder.text_model.encoder.layers.3.mlp.fc1")]
    [InlineData("unet.up_blocks.1.attentions.0.proj_in.lora.up.weight", "unet.up_blocks.1.attentions.0.proj_in")]
    [InlineData("base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.ff.net.2.lora_B.weight", "unet.down_blocks.0.attentions.0.transformer_blocks.0.ff.net.2")]
    [InlineData("base_model.model.text_model.encoder.layers.0.mlp.fc2.lora_B.weight", "text_encoder.text_model.encoder.layers.0.mlp.fc2")]
    [InlineData("lora_unet_up_blocks_3_attentions_2_transformer_blocks_0_attn2_to_out_0.lora_up.weight", "unet.up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_out.0")]
    [InlineData("lora_unet_down_blocks_0_resnets_1_time_emb_proj.lora_up.weight", "unet.down_blocks.0.resnets.1.time_emb_proj")]
    [InlineData("lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_q.lora_up.weight", "unet.down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q")]
    [InlineData("lora_unet_middle_block_1_transformer_blocks_9_ff_net_0_proj.lora_up.weight", "unet.mid_block.attentions.0.transformer_blocks.9.ff.net.0.proj")]
    [InlineData("lora_unet_output_blocks_2_2_conv.lora_up.weight", "unet.up_blocks.0.upsamplers.0.conv")]
    [InlineData("lora_unet_input_blocks_3_0_op.lora_up.weight", "unet.down_blocks.0.downsamplers.0.conv")]
    [InlineData("lora_te_text_model_encoder_layers_11_self_attn_q_proj.lora_up.weight", "text_encoder.text_model.encoder.layers.11.self_attn.q_proj")]
    [InlineData("lora_te2_text_model_encoder_layers_31_mlp_fc1.lora_up.weight", "text_encoder_2.text_model.encoder.layers.31.mlp.fc1")]
    public void Every_trainers_name_means_one_layer(string name, string module) => Assert.Equal(new LoraName(module, LoraPart.Up), LoraTensors.Parse(name));

    [Theory]
    [InlineData("lora_unet_down_blocks_9_attentions_0_proj_in.lora_up.weight")]
    [InlineData("lora_unet_transformer_h_0_attn.lora_up.weight")]
    public void Names_of_other_models_mean_nothing(string name) => Assert.Null(LoraTensors.Parse(name));

    [Fact]
    public void Kohya_names_come_back_for_every_layer_of_SD_and_of_SDXL()
    {
        foreach (var module in ModuleNames.UNet().Select(module => "unet." + module).Concat(ModuleNames.TextEncoder().Select(module => "text_encoder." + module)))
            foreach (var sdxl in new[] { false, true })
            {
                var name = new LoraName(module, LoraPart.Alpha);
                Assert.Equal(name, KohyaLoraLayout.Parse(KohyaLoraLayout.Format(name, sdxl)));
            }
    }

    [Fact]
    public void MotionDirectors_spelling_gives_the_official_layers_and_the_feed_forward_ones()
    {
        var official = LoraTensors.Read(Unread(RealSizes.MotionLora(RealSizes.Sd15, midBlock: false, rank: 8))).Layers;
        var director = LoraTensors.Read(Unread(RealSizes.MotionLora(RealSizes.Sd15, midBlock: false, rank: 8, motionDirector: true))).Layers;
        Assert.Equal(20 * 8, official.Count);
        Assert.Equal(20 * 10, director.Count);
        Assert.Subset(director.Keys.ToHashSet(), official.Keys.ToHashSet());
    }

    [Fact]
    public void Old_VAE_spellings_become_todays_and_position_ids_are_left_out()
    {
        using var vae = ModelFolder.Open(Goldens.Model("nano-sd15/vae"));
        var old = vae.Select(name => name.Replace("attentions.0.to_q.", "attentions.0.query.").Replace("attentions.0.to_k.", "attentions.0.key.")
            .Replace("attentions.0.to_v.", "attentions.0.value.").Replace("attentions.0.to_out.0.", "attentions.0.proj_attn."));
        Assert.Equal(CheckpointLayout.LegacyDiffusers, ModelDetection.Detect(old).Layout);
        Assert.Equal(Lines(vae), Lines(LegacyDiffusersLayout.ToDiffusers(old)));
        Assert.Null(LegacyDiffusersLayout.ToDiffusers("text_model.embeddings.position_ids"));
        Assert.False(LegacyDiffusersLayout.Matches(vae.Keys));
    }

    [Fact]
    public void An_OpenCLIP_encoder_is_cut_apart_and_put_together_bit_for_bit()
    {
        var encoder = Numbered(
        [
            ("text_model.embeddings.token_embedding.weight", [7, 4]), ("text_model.embeddings.position_embedding.weight", [3, 4]),
            ("text_model.final_layer_norm.weight", [4]), ("text_projection.weight", [2, 4]),
            .. from part in new[] { "q_proj", "k_proj", "v_proj", "out_proj" } select ($"text_model.encoder.layers.0.self_attn.{part}.weight", new long[] { 4, 4 }),
            .. from part in new[] { "q_proj", "k_proj", "v_proj", "out_proj" } select ($"text_model.encoder.layers.0.self_attn.{part}.bias", new long[] { 4 }),
            ("text_model.encoder.layers.0.mlp.fc1.weight", [8, 4]), ("text_model.encoder.layers.0.layer_norm2.bias", [4]),
        ]);
        var openClip = OpenClipLayout.FromDiffusers(encoder);
        Assert.Equal([12L, 4L], openClip["transformer.resblocks.0.attn.in_proj_weight"].Shape);
        Assert.Equal([4L, 2L], openClip["text_projection"].Shape);
        Assert.Contains("transformer.resblocks.0.mlp.c_fc.weight", openClip.Keys);
        Assert.Equal(Lines(encoder), Lines(OpenClipLayout.ToDiffusers(openClip)));
    }

    [Fact]
    public void Sd1_single_files_without_text_model_in_their_names_are_read_alike()
    {
        var file = Unread([("model.diffusion_model.input_blocks.0.0.weight", [32, 4, 3, 3]), ("cond_stage_model.transformer.embeddings.token_embedding.weight", [49408, 48])]);
        Assert.Equal(["text_model.embeddings.token_embedding.weight"], CompVisLayout.ToDiffusers(file).TextEncoder!.Keys);
    }
}
