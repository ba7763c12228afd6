"""Our model against transformers at the full size of the 9B on one GPU: the same random weights on both sides, made there.

    python tools/model_oracle/full_size.py BUILD/bin/model_stages FOLDER [--pages 10] [--seed 1] [--skip-f32]

First one page, stage by stage and 64 greedy tokens: ours in fp32 and bf16, and transformers in bf16, each against transformers
in fp32. Then the time of --pages pages in bf16, both sides in the same run. Prints a table and writes FOLDER/full_size.json.
Weights follow from names and the seed (tiny_model.py), so that 18 GB need not be written. --tiny tries this script itself, on
a tiny model and without a GPU.
"""

import argparse
import gc
import json
import pathlib
import subprocess
import time

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import Glm4vConfig, Glm4vForConditionalGeneration

import tiny_model

# Reference: config.json of GLM-4.1V-9B-Thinking.
FULL = {
    "vision_config": dict(depth=24, hidden_size=1536, num_heads=12, image_size=336, patch_size=14, out_hidden_size=4096,
                          intermediate_size=13696, attention_bias=False),
    "text_config": dict(vocab_size=151552, hidden_size=4096, intermediate_size=13696, num_hidden_layers=40, num_attention_heads=32,
                        num_key_value_heads=2, max_position_embeddings=65536, pad_token_id=151329,
                        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5,
                                         "mrope_section": [8, 12, 12]}),
    "tokens": dict(image_token_id=151343, video_token_id=151344, image_start_token_id=151339, image_end_token_id=151340,
                   video_start_token_id=151341, video_end_token_id=151342),
}
NUM_TOKENS = 64
GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"


def synchronize():
    if GPU:
        torch.cuda.synchronize()


def shifted(z, bits):
    """Logical shift to the right of int64."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def uniform(start, count):
    """tiny_model.uniform on the GPU."""
    z = torch.arange(count, dtype=torch.int64, device=DEVICE) + signed((start + 0x9E3779B97F4A7C15) % (1 << 64))
    z = (z ^ shifted(z, 30)) * signed(0xBF58476D1CE4E5B9)
    z = (z ^ shifted(z, 27)) * signed(0x94D049BB133111EB)
    return shifted(z ^ shifted(z, 31), 40).float() * 2.0**-23 - 1.0


@torch.no_grad()
def fill(model, seed):
    piece = 1 << 26
    for name, parameter in model.state_dict().items():
        start, flat = tiny_model.fnv1a64(name) + seed, parameter.view(-1)
        scale, offset = float(np.float32(np.sqrt(3.0 / np.prod(parameter.shape[1:])))), 0.0
        if "norm" in name and name.endswith(".weight"):
            scale, offset = 0.25, 1.0
        elif name.endswith(".bias"):
            scale = 0.25
        elif "embed_tokens" in name:
            scale = 1.0
        for begin in range(0, flat.numel(), piece):
            part = flat[begin : begin + piece]
            part.copy_(offset + uniform(start + begin, part.numel()) * scale)


def build(sizes, seed):
    config = Glm4vConfig(vision_config=dict(sizes["vision_config"]), text_config=dict(sizes["text_config"]), **sizes["tokens"])
    config._attn_implementation = "sdpa"
    with torch.device(DEVICE):
        model = Glm4vForConditionalGeneration(config).float().eval()
    fill(model, seed)
    return model


class Inputs:
    def __init__(self, num_pages, sizes):
        self.pages = [tiny_model.page(f"page.{i}", 1, 842, 595, 1) for i in range(num_pages)]
        pixel_values, self.grids, _ = tiny_model.process(self.pages)
        self.pixel_values = pixel_values.to(DEVICE)
        self.ids = tiny_model.make_prompt(self.grids, sizes, num_words=20)

    def save(self, file):
        pages = {f"page.{i}": torch.from_numpy(page) for i, page in enumerate(self.pages)}
        save_file({**pages, "ids": self.ids[0].to(torch.int32)}, file)

    def forward(self, model):
        ids = self.ids.to(DEVICE)
        types = (ids == model.config.image_token_id).int()
        return model(input_ids=ids, pixel_values=self.pixel_values.to(model.dtype), image_grid_thw=self.grids.to(DEVICE), use_cache=True,
                     mm_token_type_ids=types, logits_to_keep=1)


@torch.no_grad()
def run(model, inputs, num_tokens):
    """Stages of the prompt, its logits, and greedy decoding; milliseconds a token."""
    stages = tiny_model.capture(model)
    output = inputs.forward(model)
    result = {name: value.float().cpu() for name, value in stages.items()}
    result["logits"] = output.logits[0, -1].float().cpu()
    tokens, cache, logits = [], output.past_key_values, output.logits[0, -1]
    synchronize()
    start = time.perf_counter()
    for step in range(num_tokens):
        tokens.append(int(logits.argmax()))
        if step + 1 < num_tokens:
            output = model(input_ids=torch.tensor([[tokens[-1]]], device=DEVICE), past_key_values=cache, use_cache=True)
            cache, logits = output.past_key_values, output.logits[0, -1]
    return result, tokens, (time.perf_counter() - start) * 1e3 / max(1, num_tokens - 1)


def best_ms(work, repeat=3):
    best = float("inf")
    for _ in range(repeat):
        synchronize()
        start = time.perf_counter()
        work()
        synchronize()
        best = min(best, (time.perf_counter() - start) * 1e3)
    return best


@torch.no_grad()
def time_transformers(model, inputs):
    grids, pixels = inputs.grids.to(DEVICE), inputs.pixel_values.to(model.dtype)
    vision_ms = best_ms(lambda: model.model.get_image_features(pixels, grids))
    both_ms = best_ms(lambda: inputs.forward(model))
    return {"vision_ms": vision_ms, "prefill_ms": both_ms - vision_ms, "both_ms": both_ms}


def ours(arguments, folder, inputs, **flags):
    inputs.save(folder / "in.safetensors")
    command = [arguments.program, folder, folder / "in.safetensors", folder / "out.safetensors", f"device={DEVICE}",
               f"random={arguments.seed}"] + [f"{name}={value}" for name, value in flags.items()]
    text = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout
    return json.loads(text), load_file(folder / "out.safetensors")


def distances(stages, expected):
    return {name: float((stages[name].float() - value).abs().max()) for name, value in expected.items()}


def parity(model, arguments, folder, table):
    inputs = Inputs(1, arguments.sizes)
    expected, tokens, _ = run(model, inputs, NUM_TOKENS)
    stages = [name for name in expected if name != "logits"]
    model.bfloat16()
    theirs, their_tokens, _ = run(model, inputs, NUM_TOKENS)
    rows = {"transformers bf16": (distances(theirs, expected), their_tokens)}
    for precision in arguments.precisions.split(","):
        if precision == "f32" and arguments.skip_f32:
            continue
        _, out = ours(arguments, folder, inputs, precision=precision, tokens=NUM_TOKENS, stages=",".join(stages))
        rows[f"ours {precision}"] = (distances(out, expected), out["tokens"].tolist())
    print(f"{'one page, largest difference':30}" + "".join(f"{name:>12}" for name in expected) + "  tokens equal")
    for name, (row, row_tokens) in rows.items():
        equal = next((i for i, (a, b) in enumerate(zip(row_tokens, tokens)) if a != b), len(tokens))
        print(f"{name:30}" + "".join(f"{value:12.2e}" for value in row.values()) + f"  {equal}/{NUM_TOKENS}", flush=True)
        table[name] = {"difference": row, "tokens_equal": equal}
    table["magnitude"] = {name: float(value.abs().max()) for name, value in expected.items()}


def timing(model, arguments, folder, table):
    inputs = Inputs(arguments.pages, arguments.sizes)
    rows = {}
    if not arguments.skip_their_time:
        rows["transformers bf16"] = time_transformers(model, inputs)
        rows["transformers bf16"]["decode_ms"] = run(model, inputs, 9)[2]
    for precision in arguments.timed.split(","):
        report, _ = ours(arguments, folder, inputs, precision=precision, tokens=NUM_TOKENS, together=1, repeat=3)
        rows[f"ours {precision}"] = {"vision_ms": report["page_ms"], "prefill_ms": report["prefill_ms"],
                                     "both_ms": report["page_ms"] + report["prefill_ms"], "decode_ms": report["decode_ms"],
                                     "patches_ms": report["patches_ms"], "load_ms": report["load_ms"], "gpu_mib": report["gpu_mib"]}
    print(f"{arguments.pages} pages, {inputs.ids.shape[1]} tokens; milliseconds, decode a token")
    for name, row in rows.items():
        table[f"{name} time"] = row
        print(f"{name:30}" + "  ".join(f"{key} {value:.2f}" for key, value in row.items()), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("folder")
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip-f32", action="store_true")
    parser.add_argument("--precisions", default="f32,bf16", help="ours that are compared: f32, bf16, fp16, fp8, int8, int4")
    parser.add_argument("--timed", default="bf16", help="ours that are timed")
    parser.add_argument("--skip-their-time", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    arguments.sizes = tiny_model.TINY if arguments.tiny else FULL
    folder = pathlib.Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    table = {}
    torch.backends.cudnn.allow_tf32 = False  # fp32 is the reference
    model = build(arguments.sizes, arguments.seed)
    model.config.save_pretrained(folder)
    try:
        parity(model, arguments, folder, table)
        gc.collect()
        if GPU:
            torch.cuda.empty_cache()
        timing(model, arguments, folder, table)
    finally:
        (folder / "full_size.json").write_text(json.dumps(table, indent=1) + "\n")
        for name in ("in.safetensors", "out.safetensors"):
            (folder / name).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
