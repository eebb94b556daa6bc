"""Writes the tensor names and shapes of Stable Diffusion 1.5's UNet and VAE and of AnimateDiff's motion modules, in diffusers' layout.

Worked out from the published architectures alone, and checked against published totals, so that the lists are independent of the program they test.
Run from this folder: python3 make_names.py
"""

from math import prod

CHANNELS = [320, 640, 1280, 1280]


def linear(name, out, inp, bias=True):
    return {f"{name}.weight": [out, inp]} | ({f"{name}.bias": [out]} if bias else {})


def conv(name, out, inp, size):
    return {f"{name}.weight": [out, inp, size, size], f"{name}.bias": [out]}


def norm(name, channels):
    return {f"{name}.weight": [channels], f"{name}.bias": [channels]}


def resnet(name, inp, out, time=1280):
    tensors = norm(f"{name}.norm1", inp) | conv(f"{name}.conv1", out, inp, 3) | norm(f"{name}.norm2", out) | conv(f"{name}.conv2", out, out, 3)
    if time:
        tensors |= linear(f"{name}.time_emb_proj", out, time)
    if inp != out:
        tensors |= conv(f"{name}.conv_shortcut", out, inp, 1)
    return tensors


def transformer_block(name, c, context):
    tensors = {}
    for attention, width in (("attn1", c), ("attn2", context)):
        tensors |= linear(f"{name}.{attention}.to_q", c, c, bias=False)
        tensors |= linear(f"{name}.{attention}.to_k", c, width, bias=False)
        tensors |= linear(f"{name}.{attention}.to_v", c, width, bias=False)
        tensors |= linear(f"{name}.{attention}.to_out.0", c, c)
    for i in (1, 2, 3):
        tensors |= norm(f"{name}.norm{i}", c)
    return tensors | linear(f"{name}.ff.net.0.proj", 8 * c, c) | linear(f"{name}.ff.net.2", c, 4 * c)


def spatial_transformer(name, c):
    return (norm(f"{name}.norm", c) | conv(f"{name}.proj_in", c, c, 1) | transformer_block(f"{name}.transformer_blocks.0", c, 768)
            | conv(f"{name}.proj_out", c, c, 1))


def motion_module(name, c, frames):
    return (norm(f"{name}.norm", c) | linear(f"{name}.proj_in", c, c) | {f"{name}.transformer_blocks.0.pos_embed.pe": [1, frames, c]}
            | transformer_block(f"{name}.transformer_blocks.0", c, c) | linear(f"{name}.proj_out", c, c))


def unet():
    tensors = conv("conv_in", 320, 4, 3) | linear("time_embedding.linear_1", 1280, 320) | linear("time_embedding.linear_2", 1280, 1280)
    skips, width = [320], 320
    for level, c in enumerate(CHANNELS):
        for i in range(2):
            tensors |= resnet(f"down_blocks.{level}.resnets.{i}", width, c)
            width = c
            if level < 3:
                tensors |= spatial_transformer(f"down_blocks.{level}.attentions.{i}", c)
            skips.append(c)
        if level < 3:
            tensors |= conv(f"down_blocks.{level}.downsamplers.0.conv", c, c, 3)
            skips.append(c)
    for i in range(2):
        tensors |= resnet(f"mid_block.resnets.{i}", 1280, 1280)
    tensors |= spatial_transformer("mid_block.attentions.0", 1280)
    for level, c in enumerate(reversed(CHANNELS)):
        for i in range(3):
            tensors |= resnet(f"up_blocks.{level}.resnets.{i}", width + skips.pop(), c)
            width = c
            if level > 0:
                tensors |= spatial_transformer(f"up_blocks.{level}.attentions.{i}", c)
        if level < 3:
            tensors |= conv(f"up_blocks.{level}.upsamplers.0.conv", c, c, 3)
    assert not skips
    return tensors | norm("conv_norm_out", 320) | conv("conv_out", 4, 320, 3)


def motion(frames, mid):
    tensors = {}
    for level, c in enumerate(CHANNELS):
        for i in range(2):
            tensors |= motion_module(f"down_blocks.{level}.motion_modules.{i}", c, frames)
        for i in range(3):
            tensors |= motion_module(f"up_blocks.{3 - level}.motion_modules.{i}", c, frames)
    return tensors | (motion_module("mid_block.motion_modules.0", 1280, frames) if mid else {})


def vae():
    def middle(name):
        tensors = resnet(f"{name}.resnets.0", 512, 512, None) | resnet(f"{name}.resnets.1", 512, 512, None) | norm(f"{name}.attentions.0.group_norm", 512)
        for layer in ("to_q", "to_k", "to_v", "to_out.0"):
            tensors |= linear(f"{name}.attentions.0.{layer}", 512, 512)
        return tensors

    channels = [128, 256, 512, 512]
    tensors = conv("encoder.conv_in", 128, 3, 3) | conv("decoder.conv_in", 512, 4, 3)
    width = 128
    for level, c in enumerate(channels):
        for i in range(2):
            tensors |= resnet(f"encoder.down_blocks.{level}.resnets.{i}", width, c, None)
            width = c
        if level < 3:
            tensors |= conv(f"encoder.down_blocks.{level}.downsamplers.0.conv", c, c, 3)
    for level, c in enumerate(reversed(channels)):
        for i in range(3):
            tensors |= resnet(f"decoder.up_blocks.{level}.resnets.{i}", width, c, None)
            width = c
        if level < 3:
            tensors |= conv(f"decoder.up_blocks.{level}.upsamplers.0.conv", c, c, 3)
    tensors |= middle("encoder.mid_block") | middle("decoder.mid_block")
    tensors |= norm("encoder.conv_norm_out", 512) | conv("encoder.conv_out", 8, 512, 3)
    tensors |= norm("decoder.conv_norm_out", 128) | conv("decoder.conv_out", 3, 128, 3)
    return tensors | conv("quant_conv", 8, 8, 1) | conv("post_quant_conv", 4, 4, 1)


def write(name, tensors, count, parameters):
    total = sum(prod(shape) for key, shape in tensors.items() if not key.endswith(".pe"))
    assert len(tensors) == count, (name, len(tensors))
    assert total == parameters if parameters > 1000 else round(total / 1e6) == parameters, (name, total)
    with open(f"{name}.txt", "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{key} {shape}\n" for key, shape in sorted(tensors.items()))


# Totals of the published models: the UNet and the VAE exactly, the motion modules in millions as the AnimateDiff README states them.
write("unet-sd15", unet(), 686, 859_520_964)
write("vae-sd15", vae(), 248, 83_653_863)
write("motion-v1", motion(24, mid=False), 20 * 27, 417)
write("motion-v2", motion(32, mid=True), 21 * 27, 453)
write("motion-v3", motion(32, mid=False), 20 * 27, 417)
