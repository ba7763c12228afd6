"""Times of transformers at the full size of the 9B in bf16: vision and prefill of A4 pages at 72 dpi, and one decoded token.

    python tools/model_oracle/time_transformers.py FOLDER [--pages 10] [--config-only] [--tiny]

Writes FOLDER/config.json, which our programs read, and FOLDER/transformers.json. Weights are random; times do not depend on them.
"""

import argparse
import json
import pathlib
import time

import full_size
import tiny_model
import torch
from transformers import Glm4vConfig, Glm4vForConditionalGeneration


def config_of(sizes):
    config = Glm4vConfig(vision_config=dict(sizes["vision_config"]), text_config=dict(sizes["text_config"]), **sizes["tokens"])
    config._attn_implementation = "sdpa"
    return config


def build(config):
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(full_size.DEVICE):
        model = Glm4vForConditionalGeneration(config).eval()
    torch.set_default_dtype(torch.float32)
    return model.to(torch.bfloat16)


@torch.no_grad()
def decode_ms(model, inputs, num_tokens=8):
    output = inputs.forward(model)
    token, best = output.logits[0, -1].argmax().reshape(1, 1), float("inf")
    for _ in range(num_tokens):
        full_size.synchronize()
        start = time.perf_counter()
        output = model(input_ids=token, past_key_values=output.past_key_values, use_cache=True)
        full_size.synchronize()
        best = min(best, (time.perf_counter() - start) * 1e3)
    return best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--config-only", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    folder = pathlib.Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    sizes = tiny_model.TINY if arguments.tiny else full_size.FULL
    config = config_of(sizes)
    config.save_pretrained(folder)
    if arguments.config_only:
        return
    start = time.perf_counter()
    model = build(config)
    inputs = full_size.Inputs(arguments.pages, sizes)
    built_s = time.perf_counter() - start
    times = {**full_size.time_transformers(model, inputs), "decode_ms": decode_ms(model, inputs), "tokens": inputs.ids.shape[1],
             "build_s": built_s}
    (folder / "transformers.json").write_text(json.dumps(times) + "\n")
    print("transformers bf16: " + "  ".join(f"{name} {value:.2f}" for name, value in times.items()))


if __name__ == "__main__":
    main()
