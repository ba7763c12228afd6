"""Our model against transformers on fresh random seeds and sizes: largest difference of every stage.

    python tools/model_oracle/compare.py BUILD/bin/model_stages [--models 6] [--seed 100] [--precision f32]
"""

import argparse
import pathlib
import random
import subprocess
import tempfile

import torch
from safetensors.torch import load_file, save_file

import tiny_model

NUM_TOKENS = 32


def random_sizes(rng):
    """Head counts, widths and sections that a wrong assumption about one of them would break."""
    heads, head_dim = rng.choice([(2, 16), (3, 24), (5, 8), (2, 64)])
    groups, kv_heads, text_dim = rng.choice([2, 3, 4]), rng.choice([1, 2]), rng.choice([16, 20, 32])
    text_heads, width = groups * kv_heads, groups * kv_heads * text_dim
    factor = rng.choice([0.5, 1.0])
    angles = int(text_dim * factor) // 2
    first, second = rng.randint(1, angles - 2), 1
    sections = [first, second, angles - first - second]
    return {
        "vision_config": dict(depth=rng.choice([2, 4]), hidden_size=heads * head_dim, num_heads=heads,
                              image_size=14 * rng.choice([4, 7, 24]), patch_size=14, out_hidden_size=width,
                              intermediate_size=rng.randrange(40, 200, 4), attention_bias=rng.random() < 0.5),
        "text_config": dict(vocab_size=rng.randint(310, 700), hidden_size=width, intermediate_size=rng.randrange(40, 260, 4),
                            num_hidden_layers=rng.choice([2, 4]), num_attention_heads=text_heads, num_key_value_heads=kv_heads,
                            max_position_embeddings=4096, pad_token_id=0,
                            rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": factor,
                                             "mrope_section": sections}),
        "tokens": tiny_model.TINY["tokens"],
    }


def random_pages(rng, seed):
    shapes = [(rng.randint(20, 400), rng.randint(20, 400), rng.choice([1, 1, 3])) for _ in range(rng.randint(1, 4))]
    return [tiny_model.page(f"page.{i}", seed, *shape) for i, shape in enumerate(shapes)]


def compare(program, seed, precision, folder):
    rng = random.Random(seed)
    sizes = random_sizes(rng)
    pages = random_pages(rng, seed)
    model = tiny_model.build_model(seed, sizes)
    model.save_pretrained(folder)
    _, grids, _ = tiny_model.process(pages)
    ids = tiny_model.make_prompt(grids, sizes, seed, num_words=rng.randint(1, 40))
    expected, tokens, margin = tiny_model.run(model, pages, ids, NUM_TOKENS)
    inputs = {f"page.{i}": torch.from_numpy(page) for i, page in enumerate(pages)}
    save_file({**inputs, "ids": ids[0].to(torch.int32)}, folder / "in.safetensors")
    command = [program, folder, folder / "in.safetensors", folder / "out.safetensors", f"precision={precision}",
               f"tokens={NUM_TOKENS}", f"chunk={rng.choice([5, 64, 4096])}", "stages=1"]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    ours = load_file(folder / "out.safetensors")
    row = {name: float((ours[name] - value).abs().max()) for name, value in expected.items()}
    row["tokens"] = sum(a == b for a, b in zip(ours["tokens"].tolist(), tokens))
    row["margin"] = margin
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--models", type=int, default=6)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--precision", default="f32")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    worst = 0.0
    for seed in range(arguments.seed, arguments.seed + arguments.models):
        with tempfile.TemporaryDirectory() as folder:
            row = compare(arguments.program, seed, arguments.precision, pathlib.Path(folder))
        stages = {name: value for name, value in row.items() if name not in ("tokens", "margin")}
        worst = max(worst, max(stages.values()))
        print(f"seed {seed}: " + "  ".join(f"{name} {value:.1e}" for name, value in stages.items())
              + f"  tokens {row['tokens']}/{NUM_TOKENS} (margin {row['margin']:.4f})")
    print(f"largest difference {worst:.1e}")


if __name__ == "__main__":
    main()
