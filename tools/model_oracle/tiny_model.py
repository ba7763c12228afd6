"""A tiny Glm4v with weights from a counter-based generator that tests/model/tiny_model.cc implements too, so that no weights are stored.

Element i of tensor `name` under `seed`: z = splitmix64(fnv1a64(name) + seed + i); u = (z >> 40) / 2^23 - 1, in [-1, 1).
Norm weights are 1 + u / 4, biases u / 4, the token table u, anything else u * sqrt(3 / inputs). All in float32.
"""

import numpy as np
import torch
from transformers import Glm4vConfig, Glm4vForConditionalGeneration
from transformers.models.glm4v.image_processing_glm4v import Glm4vImageProcessor

GOLDEN_SEED = 1

# No two sizes are equal by accident: a transposed or swapped dimension shows.
TINY = {
    "vision_config": dict(depth=3, hidden_size=48, num_heads=3, image_size=70, patch_size=14, out_hidden_size=80,
                          intermediate_size=104, attention_bias=False),
    "text_config": dict(vocab_size=320, hidden_size=80, intermediate_size=136, num_hidden_layers=3, num_attention_heads=4,
                        num_key_value_heads=2, max_position_embeddings=4096, pad_token_id=0,
                        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.6,
                                         "mrope_section": [2, 1, 3]}),
    "tokens": dict(image_token_id=301, video_token_id=302, image_start_token_id=303, image_end_token_id=304,
                   video_start_token_id=305, video_end_token_id=306),
}


def splitmix64(x):
    with np.errstate(over="ignore"):
        z = x + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def fnv1a64(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def uniform(name, seed, count):
    with np.errstate(over="ignore"):
        counters = np.uint64((fnv1a64(name) + seed) & 0xFFFFFFFFFFFFFFFF) + np.arange(count, dtype=np.uint64)
    bits = (splitmix64(counters) >> np.uint64(40)).astype(np.float32)
    return bits * np.float32(2.0**-23) - np.float32(1.0)


def weight(name, shape, seed):
    u = uniform(name, seed, int(np.prod(shape)))
    if "norm" in name and name.endswith(".weight"):
        values = np.float32(1.0) + u * np.float32(0.25)
    elif name.endswith(".bias"):
        values = u * np.float32(0.25)
    elif "embed_tokens" in name:
        values = u
    else:
        values = u * np.float32(np.sqrt(3.0 / np.prod(shape[1:])))
    return torch.from_numpy(values.reshape(shape))


def random_bytes(name, seed, count):
    with np.errstate(over="ignore"):
        counters = np.uint64((fnv1a64(name) + seed) & 0xFFFFFFFFFFFFFFFF) + np.arange(count, dtype=np.uint64)
    return (splitmix64(counters) >> np.uint64(56)).astype(np.uint8)


def page(name, seed, height, width, channels):
    """White paper with dark noise on every third row: enough structure that a resize matters."""
    pixels = random_bytes(name, seed, height * width * channels).reshape(height, width, channels)
    pixels[np.arange(height) % 3 != 0] |= 0xC0
    return pixels


def build_model(seed, sizes=TINY, attention="eager"):
    config = Glm4vConfig(vision_config=dict(sizes["vision_config"]), text_config=dict(sizes["text_config"]), **sizes["tokens"])
    config._attn_implementation = attention
    model = Glm4vForConditionalGeneration(config).float().eval()
    state = {name: weight(name, tuple(value.shape), seed) for name, value in model.state_dict().items()}
    model.load_state_dict(state)
    return model


def processor():
    return Glm4vImageProcessor()


def process(pages):
    """pixel_values, image_grid_thw and the resized bytes of pages (height, width, channels) uint8."""
    chw = [torch.from_numpy(np.repeat(p, 3 // p.shape[2], axis=2).copy()).permute(2, 0, 1) for p in pages]
    ours = processor()
    inputs = ours(images=chw, return_tensors="pt")
    plain = ours(images=chw, return_tensors="pt", do_normalize=False, do_rescale=False)
    return inputs["pixel_values"], inputs["image_grid_thw"], plain["pixel_values"]


def make_prompt(grids, sizes=TINY, seed=GOLDEN_SEED, num_words=9):
    """Text, then each page between its start and end token, then text."""
    tokens = sizes["tokens"]
    words = random_bytes("prompt", seed, 4 * num_words).astype(np.int64) % 256
    ids = list(words[:num_words])
    for i, (_, h, w) in enumerate(grids.tolist()):
        ids += [tokens["image_start_token_id"]] + [tokens["image_token_id"]] * (h * w // 4) + [tokens["image_end_token_id"]]
        ids += list(words[num_words * (i + 1) : num_words * (i + 1) + 2])
    ids += list(words[-num_words:])
    return torch.tensor([ids], dtype=torch.long)


def capture(model):
    """Hooks the stages; returns the dictionary they write into at each forward pass."""
    stages = {}

    def keep(name, pick=lambda output: output):
        return lambda module, args, output: stages.__setitem__(name, pick(output).detach().clone())

    visual, language = model.model.visual, model.model.language_model
    visual.patch_embed.register_forward_hook(keep("patch_embed"))
    visual.embeddings.register_forward_hook(keep("position"))
    for i in (0, len(visual.blocks) - 1):
        visual.blocks[i].register_forward_hook(keep(f"block.{i}"))
    visual.merger.register_forward_hook(keep("merger"))
    for i in (0, len(language.layers) - 1):
        language.layers[i].register_forward_hook(keep(f"layer.{i}", lambda o: (o[0] if isinstance(o, tuple) else o).reshape(-1, o.shape[-1])))
    return stages


@torch.no_grad()
def run(model, pages, ids, num_tokens):
    """Stages of the prompt, its logits, and greedy decoding."""
    pixel_values, grids, _ = process(pages)
    stages = capture(model)
    extra = dict(mm_token_type_ids=(ids == model.config.image_token_id).int())
    output = model(input_ids=ids, pixel_values=pixel_values.to(model.dtype), image_grid_thw=grids, use_cache=True, **extra)
    result = dict(stages)
    result["logits"] = output.logits[0, -1].float()
    tokens, margins = [], []
    cache, logits = output.past_key_values, output.logits[0, -1].float()
    for step in range(num_tokens):
        top = logits.topk(2)
        tokens.append(int(top.indices[0]))
        margins.append(float(top.values[0] - top.values[1]))
        if step + 1 == num_tokens:
            break
        output = model(input_ids=torch.tensor([[tokens[-1]]]), past_key_values=cache, use_cache=True)
        cache, logits = output.past_key_values, output.logits[0, -1].float()
    result["last_logits"] = logits
    return result, tokens, min(margins)
