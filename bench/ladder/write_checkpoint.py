"""Writes a checkpoint of the 9B's size with random bf16 weights, as fast as the disk or memory takes it: for measuring how long a start takes.

    python bench/ladder/write_checkpoint.py FOLDER MODEL_DIR [--layers 40]

Everything but weights and sizes comes from MODEL_DIR (models/glyph-mini), whose tokenizer and control tokens the written model has.
A FOLDER in /dev/shm is in memory at once. Needs numpy only.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import struct

import numpy as np

# Reference: config.json of GLM-4.1V-9B-Thinking.
VISION = dict(depth=24, hidden_size=1536, num_heads=12, image_size=336, patch_size=14, out_hidden_size=4096, intermediate_size=13696)
TEXT = dict(vocab_size=151552, hidden_size=4096, intermediate_size=13696, num_hidden_layers=40, num_attention_heads=32,
            num_key_value_heads=2, max_position_embeddings=65536,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5, "mrope_section": [8, 12, 12]})
PIECE = 64 << 20  # bytes


def vision_tensors(v):
    hidden, out, inner = v["hidden_size"], v["out_hidden_size"], v["intermediate_size"]
    side = v["image_size"] // v["patch_size"]
    yield "patch_embed.proj.weight", [hidden, 3, 2, v["patch_size"], v["patch_size"]]
    yield "patch_embed.proj.bias", [hidden]
    yield "embeddings.position_embedding.weight", [side * side, hidden]
    yield "post_conv_layernorm.weight", [hidden]
    for i in range(v["depth"]):
        block = f"blocks.{i}."
        yield block + "norm1.weight", [hidden]
        yield block + "norm2.weight", [hidden]
        yield block + "attn.qkv.weight", [3 * hidden, hidden]
        yield block + "attn.proj.weight", [hidden, hidden]
        yield block + "mlp.gate_proj.weight", [out, hidden]
        yield block + "mlp.up_proj.weight", [out, hidden]
        yield block + "mlp.down_proj.weight", [hidden, out]
    yield "post_layernorm.weight", [hidden]
    yield "downsample.weight", [out, hidden, 2, 2]
    yield "downsample.bias", [out]
    yield "merger.proj.weight", [out, out]
    yield "merger.post_projection_norm.weight", [out]
    yield "merger.post_projection_norm.bias", [out]
    yield "merger.gate_proj.weight", [inner, out]
    yield "merger.up_proj.weight", [inner, out]
    yield "merger.down_proj.weight", [out, inner]


def text_tensors(t):
    hidden, inner = t["hidden_size"], t["intermediate_size"]
    kv = hidden // t["num_attention_heads"] * t["num_key_value_heads"]
    yield "embed_tokens.weight", [t["vocab_size"], hidden]
    for i in range(t["num_hidden_layers"]):
        layer = f"layers.{i}."
        for name, rows in (("q", hidden), ("k", kv), ("v", kv)):
            yield f"{layer}self_attn.{name}_proj.weight", [rows, hidden]
            yield f"{layer}self_attn.{name}_proj.bias", [rows]
        yield layer + "self_attn.o_proj.weight", [hidden, hidden]
        yield layer + "mlp.gate_up_proj.weight", [2 * inner, hidden]
        yield layer + "mlp.down_proj.weight", [hidden, inner]
        for norm in ("input_layernorm", "post_self_attn_layernorm", "post_attention_layernorm", "post_mlp_layernorm"):
            yield f"{layer}{norm}.weight", [hidden]
    yield "norm.weight", [hidden]


def header_of(tensors):
    header, at = {}, 0
    for name, shape in tensors:
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, at


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=TEXT["num_hidden_layers"])
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for file in arguments.model.glob("*.json"):
        shutil.copy(file, arguments.folder)
    config = json.loads((arguments.model / "config.json").read_text())
    config["vision_config"] |= VISION
    config["text_config"] |= TEXT | {"num_hidden_layers": arguments.layers}
    (arguments.folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")

    tensors = [("model.visual." + name, shape) for name, shape in vision_tensors(config["vision_config"])]
    tensors += [("model.language_model." + name, shape) for name, shape in text_tensors(config["text_config"])]
    tensors.append(("lm_head.weight", [config["text_config"]["vocab_size"], config["text_config"]["hidden_size"]]))
    header, num_bytes = header_of(tensors)
    values = np.random.default_rng(1).standard_normal(PIECE // 2, dtype=np.float32) * np.float32(0.02)
    piece = memoryview((values.view(np.uint32) >> 16).astype(np.uint16)).cast("B")
    file = os.open(arguments.folder / "model.safetensors", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
    os.pwrite(file, header, 0)

    def write(begin):
        left = piece[: min(PIECE, num_bytes - begin)]
        at = len(header) + begin
        while left:
            done = os.pwrite(file, left, at)
            left, at = left[done:], at + done

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(0, num_bytes, PIECE)))
    os.close(file)
    print(f"{num_bytes / 1e9:.2f} GB in {arguments.folder}")


if __name__ == "__main__":
    main()
