"""Writes clip-text-sd15.txt: tensors of the text model of openai/clip-vit-large-patch14, as transformers saves them (196, 123,060,480 numbers).

The sizes are those of its published config.json; position_ids, which old files carry, is no weight. Run in this folder: python3 make_clip_names.py
"""
WIDTH, WIDE, LAYERS, POSITIONS, VOCABULARY = 768, 3072, 12, 77, 49408


def tensors():
    yield 'text_model.embeddings.token_embedding.weight', (VOCABULARY, WIDTH)
    yield 'text_model.embeddings.position_embedding.weight', (POSITIONS, WIDTH)
    for i in range(LAYERS):
        layer = f'text_model.encoder.layers.{i}'
        for name in 'kvq':
            yield from linear(f'{layer}.self_attn.{name}_proj', WIDTH, WIDTH)
        yield from linear(f'{layer}.self_attn.out_proj', WIDTH, WIDTH)
        yield from norm(f'{layer}.layer_norm1')
        yield from linear(f'{layer}.mlp.fc1', WIDE, WIDTH)
        yield from linear(f'{layer}.mlp.fc2', WIDTH, WIDE)
        yield from norm(f'{layer}.layer_norm2')
    yield from norm('text_model.final_layer_norm')


def linear(name, out, into):
    yield f'{name}.weight', (out, into)
    yield f'{name}.bias', (out,)


def norm(name):
    yield f'{name}.weight', (WIDTH,)
    yield f'{name}.bias', (WIDTH,)


with open('clip-text-sd15.txt', 'w', encoding='ascii') as out:
    for name, shape in tensors():
        out.write(f'{name} [{", ".join(map(str, shape))}]\n')
