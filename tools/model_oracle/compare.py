"""Our model against transformers on fresh random seeds and sizes: largest difference of every stage.

    python tools/model_oracle/compare.py BUILD/bin/model_stages [--models 6] [--seed 100] [--precision f32] [--device cpu]

With --precision bf16 the yardstick is transformers in bf16: each stage shows how far both are from transformers in fp32.
--limit X ends with an error when a stage differs by more than X (fp32), or by more than X times what transformers' bf16 does.
"""

import argparse
import pathlib
import random
import subprocess
import sys
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


def distances(stages, expected, same_tokens):
    """Largest difference of every stage; logits after other tokens say nothing."""
    return {name: float((stages[name].float() - value.float()).abs().max()) for name, value in expected.items()
            if name != "last_logits" or same_tokens}


def compare(program, seed, arguments, folder):
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
    command = [program, folder, folder / "in.safetensors", folder / "out.safetensors", f"precision={arguments.precision}",
               f"device={arguments.device}", f"tokens={NUM_TOKENS}", f"chunk={rng.choice([5, 64, 4096])}", "stages=1",
               f"together={rng.choice([0, 1])}"]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    ours = load_file(folder / "out.safetensors")
    our_tokens = ours["tokens"].tolist()
    row = {"stages": distances(ours, expected, our_tokens == tokens), "margin": margin,
           "tokens": sum(a == b for a, b in zip(our_tokens, tokens))}
    if arguments.precision == "bf16":
        theirs, their_tokens, _ = tiny_model.run(model.to(torch.bfloat16), pages, ids, NUM_TOKENS)
        row["yardstick"] = distances(theirs, expected, their_tokens == tokens)
    return row


def show(seed, row):
    yardstick = row.get("yardstick", {})
    stages = [f"{name} {value:.1e}" + (f"/{yardstick[name]:.1e}" if name in yardstick else "")
              for name, value in row["stages"].items()]
    print(f"seed {seed}: " + "  ".join(stages) + f"  tokens {row['tokens']}/{NUM_TOKENS} (margin {row['margin']:.4f})", flush=True)


def worst_of(row):
    """The largest difference, or its largest ratio to the yardstick's."""
    yardstick = row.get("yardstick")
    if yardstick is None:
        return max(row["stages"].values())
    return max(value / max(yardstick[name], 1e-6) for name, value in row["stages"].items() if name in yardstick)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--models", type=int, default=6)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--precision", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda", "auto"])
    parser.add_argument("--limit", type=float)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    worst = 0.0
    for seed in range(arguments.seed, arguments.seed + arguments.models):
        with tempfile.TemporaryDirectory() as folder:
            row = compare(arguments.program, seed, arguments, pathlib.Path(folder))
        worst = max(worst, worst_of(row))
        show(seed, row)
    kind = "largest difference" if arguments.precision == "f32" else "largest ratio to transformers' bf16"
    print(f"{kind} {worst:.2g}")
    if arguments.limit is not None and not worst <= arguments.limit:
        sys.exit(f"the limit is {arguments.limit:g}")


if __name__ == "__main__":
    main()
