"""The workloads of `glyph bench ladder` with transformers, on the same GPU: random weights of the 9B's size, bf16, sdpa attention.

    python bench/ladder/transformers_yardstick.py OUT.json [--pages 10] [--answer-tokens 128] [--grow 1,10,50] [--picture 146x584]

Patches go in as random numbers: drawing pages and cutting them apart, which transformers leaves to others, is not counted. --tiny
tries this script on a tiny model, without a GPU.
"""

import argparse
import json
import pathlib
import sys
import time

import torch
import transformers
from transformers import Glm4vConfig, Glm4vForConditionalGeneration

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "model_oracle"))
import full_size  # noqa: E402
import tiny_model  # noqa: E402

A4_GRID = (60, 42)  # patches of an A4 page at 72 dpi


def build(sizes):
    config = Glm4vConfig(vision_config=dict(sizes["vision_config"]), text_config=dict(sizes["text_config"]), **sizes["tokens"])
    config._attn_implementation = "sdpa"
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(full_size.DEVICE):
        model = Glm4vForConditionalGeneration(config).eval()
    torch.set_default_dtype(torch.float32)
    full_size.fill(model, 1)
    return model


class Question:
    """Pages of one size each, then a few words."""

    def __init__(self, model, sizes, grids):
        vision = sizes["vision_config"]
        width = 3 * 2 * vision["patch_size"] ** 2
        self.model = model
        self.grids = torch.tensor([[1, *grid] for grid in grids], device=full_size.DEVICE)
        self.pixels = torch.randn(sum(h * w for h, w in grids), width, device=full_size.DEVICE, dtype=model.dtype)
        self.ids = tiny_model.make_prompt(self.grids.cpu(), sizes).to(full_size.DEVICE)

    def vision(self):
        self.model.model.get_image_features(self.pixels, self.grids)

    def read(self):
        types = (self.ids == self.model.config.image_token_id).int()
        return self.model(input_ids=self.ids, pixel_values=self.pixels, image_grid_thw=self.grids, use_cache=True, mm_token_type_ids=types,
                          logits_to_keep=1)

    def answer(self, num_tokens):
        """Seconds to the first token, and to each one after it."""
        full_size.synchronize()
        start = time.perf_counter()
        output = self.read()
        token, cache = output.logits[0, -1].argmax(), output.past_key_values
        int(token)
        first = time.perf_counter()
        for _ in range(num_tokens - 1):
            output = self.model(input_ids=token.view(1, 1), past_key_values=cache, use_cache=True)
            token, cache = output.logits[0, -1].argmax(), output.past_key_values
            int(token)
        return first - start, (time.perf_counter() - first) / max(1, num_tokens - 1)


def rounded(value):
    return round(value, 2)


@torch.no_grad()
def measure(model, sizes, grids, num_tokens, repeat):
    if full_size.GPU:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    question = Question(model, sizes, grids)
    vision_ms = full_size.best_ms(question.vision, repeat)
    if repeat > 1:
        question.answer(2)
    first, token = min(question.answer(num_tokens) for _ in range(max(1, repeat - 1)))
    peak = torch.cuda.max_memory_allocated() if full_size.GPU else 0
    return {
        "pages": len(grids), "prompt_tokens": question.ids.shape[1], "total_ms": rounded(1e3 * (first + (num_tokens - 1) * token)),
        "first_token_ms": rounded(1e3 * first), "token_ms": rounded(1e3 * token), "vision_ms": rounded(vision_ms),
        "prefill_ms": rounded(1e3 * first - vision_ms), "peak_memory_mib": rounded(peak / 2**20),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--answer-tokens", type=int, default=128)
    parser.add_argument("--grow", default="")
    parser.add_argument("--picture", default="", help="patches, as 146x584: rows by columns")
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    sizes = tiny_model.TINY if arguments.tiny else full_size.FULL
    model = build(sizes)
    table = {"transformers": transformers.__version__, "torch": torch.__version__, "precision": "bf16",
             "device": torch.cuda.get_device_name() if full_size.GPU else "cpu"}

    def add(name, grids, num_tokens, repeat):
        try:
            table[name] = measure(model, sizes, grids, num_tokens, repeat)
        except torch.OutOfMemoryError as error:
            table[name] = {"problem": str(error).split("\n")[0]}
        print(name, json.dumps(table[name]), flush=True)
        pathlib.Path(arguments.out).write_text(json.dumps(table, indent=1) + "\n")

    add("pages", [A4_GRID] * arguments.pages, arguments.answer_tokens, 2)
    if arguments.picture:
        add("picture", [tuple(int(side) for side in arguments.picture.split("x"))], 8, 1)
    for pages in filter(None, arguments.grow.split(",")):
        add(f"grow.{pages}", [A4_GRID] * int(pages), 8, 1)


if __name__ == "__main__":
    main()
