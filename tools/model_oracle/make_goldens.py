"""Writes tests/model: the configuration of the tiny model and what transformers computes with it, stage by stage.

    python tools/model_oracle/make_goldens.py tests/model
"""

import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import save_file

import tiny_model

# (height, width, channels): one that is resized, one that fits as it is, one in colour; not equally many tokens.
PAGES = [(101, 135, 1), (84, 112, 1), (150, 59, 3)]
NUM_TOKENS = 64


def main(folder):
    torch.set_num_threads(1)
    seed = tiny_model.GOLDEN_SEED
    pages = [tiny_model.page(f"page.{i}", seed, *shape) for i, shape in enumerate(PAGES)]
    pixel_values, grids, resized = tiny_model.process(pages)
    model = tiny_model.build_model(seed)
    ids = tiny_model.make_prompt(grids)
    stages, tokens, margin = tiny_model.run(model, pages, ids, NUM_TOKENS)
    extra = {"mm_token_type_ids": (ids == model.config.image_token_id).int()}
    positions, delta = model.model.get_rope_index(ids, image_grid_thw=grids, **extra)

    goldens = {name: value.contiguous() for name, value in stages.items()}
    goldens["first_pixel_values"] = pixel_values[:4].contiguous()
    # One channel and frame of each patch is enough for a grey page; colour needs three.
    area = 14 * 14
    patches = resized.reshape(-1, 3, 2, area)[:, :, 0].to(torch.uint8)
    begin = 0
    for i, (_, h, w) in enumerate(grids.tolist()):
        goldens[f"patches.{i}"] = patches[begin : begin + h * w, : PAGES[i][2]].contiguous()
        begin += h * w
    goldens["grids"] = grids[:, 1:].to(torch.int32)
    goldens["ids"] = ids[0].to(torch.int32)
    goldens["positions"] = positions[:, 0].T.to(torch.int32).contiguous()
    goldens["next_position"] = (delta[0] + ids.shape[1]).to(torch.int32)
    goldens["tokens"] = torch.tensor(tokens, dtype=torch.int32)

    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(goldens, folder / "goldens.safetensors")
    config = json.loads(model.config.to_json_string())
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    size = (folder / "goldens.safetensors").stat().st_size
    print(f"{len(goldens)} goldens, {size / 1024:.0f} KiB; grids {grids[:, 1:].tolist()}, {ids.shape[1]} tokens")
    print(f"greedy tokens {tokens[:12]} ..., {len(set(tokens))} different; smallest margin {margin:.4f}")


if __name__ == "__main__":
    main(sys.argv[1])
