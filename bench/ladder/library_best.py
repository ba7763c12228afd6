"""The sum of the fastest library kernels that `glyph bench ladder`'s pages need at the 9B's size: PyTorch's products (cuBLASLt) and its
fastest attention (cuDNN or FlashAttention), each timed by itself, nothing between them.

    python bench/ladder/library_best.py OUT.json [--pages 10,150] [--dtype bf16]

OUT.json: for each number of pages vision_ms, prefill_ms and sum_ms, with the parts they are made of. It is what no program of these
kernels can beat: norms, rotary positions, stores and gaps are left out. --tiny tries this script on a small size, without a GPU.
"""

import argparse
import json
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

GRID = (60, 42)  # patches of an A4 page at 72 dpi
TEXT_TOKENS = 50  # around pages of one prompt
VISION = dict(depth=24, hidden=1536, heads=12, inner=4096, patch=3 * 2 * 14 * 14, out=4096, merger=13696)
LANGUAGE = dict(layers=40, hidden=4096, heads=32, kv_heads=2, head_dim=128, inner=13696)
ROWS = (4096, 8192, 16384)  # products of more rows are also tried in pieces of these
BACKENDS = {"cudnn": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION, "efficient": SDPBackend.EFFICIENT_ATTENTION}
GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"


def seconds(run, budget=0.15):
    """The fastest of a few runs after one to warm up."""
    def once():
        if not GPU:
            start = time.perf_counter()
            run()
            return time.perf_counter() - start
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3

    once()
    best = once()
    for _ in range(min(10, int(budget / max(best, 1e-6)))):
        best = min(best, once())
    return best


def product(rows, inputs, outputs, dtype):
    """Seconds of (rows, inputs) x (inputs, outputs): in one, or in pieces where that is faster."""
    weight = torch.randn(outputs, inputs, device=DEVICE, dtype=dtype) * 0.02
    best = float("inf")
    for piece in [rows] + [n for n in ROWS if n < rows]:
        x = torch.randn(piece, inputs, device=DEVICE, dtype=dtype)
        out = torch.empty(piece, outputs, device=DEVICE, dtype=dtype)
        best = min(best, seconds(lambda: torch.mm(x, weight.T, out=out)) * rows / piece)
        del x, out
    return best


def attention(batch, tokens, heads, kv_heads, head_dim, causal, dtype):
    """Seconds of the fastest backend, and its name."""
    q = torch.randn(batch, heads, tokens, head_dim, device=DEVICE, dtype=dtype)
    few_k, few_v = torch.randn(2, batch, kv_heads, tokens, head_dim, device=DEVICE, dtype=dtype)
    k, v = (x.repeat_interleave(heads // kv_heads, 1) for x in (few_k, few_v))
    times = {}
    for name, backend in BACKENDS.items():
        for keys, values, grouped in ((k, v, False), (few_k, few_v, True)):
            if grouped and heads == kv_heads:
                continue
            try:
                with sdpa_kernel(backend):
                    run = lambda: torch.nn.functional.scaled_dot_product_attention(q, keys, values, is_causal=causal, enable_gqa=grouped)  # noqa: E731
                    times[name + (" grouped" if grouped else "")] = seconds(run)
            except RuntimeError:  # this backend does not do it
                continue
    if not times:
        times["any"] = seconds(lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal))
    name = min(times, key=times.get)
    return times[name], name


def measure(pages, dtype, grid=GRID):
    v, t = VISION, LANGUAGE
    patches, tokens = grid[0] * grid[1], grid[0] * grid[1] // 4
    rows = pages * patches
    group = min(pages, 10)  # pages whose patches are multiplied together; more gain nothing
    group_rows, groups = group * patches, pages / group
    vision = {
        "patches": product(group_rows, v["patch"], v["hidden"], dtype) * groups,
        "qkv": product(group_rows, v["hidden"], 3 * v["hidden"], dtype) * groups * v["depth"],
        "out": product(group_rows, v["hidden"], v["hidden"], dtype) * groups * v["depth"],
        "gate_up": product(group_rows, v["hidden"], 2 * v["inner"], dtype) * groups * v["depth"],
        "down": product(group_rows, v["inner"], v["hidden"], dtype) * groups * v["depth"],
        "merge": product(group_rows // 4, 4 * v["hidden"], v["out"], dtype) * groups,
        "merger": (product(group_rows // 4, v["out"], v["out"], dtype) + product(group_rows // 4, v["out"], 2 * v["merger"], dtype)
                   + product(group_rows // 4, v["merger"], v["out"], dtype)) * groups,
    }
    one, vision_kernel = attention(group, patches, v["heads"], v["heads"], v["hidden"] // v["heads"], False, dtype)
    vision["attention"] = one * groups * v["depth"]
    length = pages * (tokens + 2) + TEXT_TOKENS
    width = t["heads"] * t["head_dim"]
    language = {
        "qkv": product(length, t["hidden"], width + 2 * t["kv_heads"] * t["head_dim"], dtype) * t["layers"],
        "out": product(length, width, t["hidden"], dtype) * t["layers"],
        "gate_up": product(length, t["hidden"], 2 * t["inner"], dtype) * t["layers"],
        "down": product(length, t["inner"], t["hidden"], dtype) * t["layers"],
    }
    one, language_kernel = attention(1, length, t["heads"], t["kv_heads"], t["head_dim"], True, dtype)
    language["attention"] = one * t["layers"]
    milliseconds = lambda parts: {name: round(value * 1e3, 2) for name, value in parts.items()}  # noqa: E731
    total = [round(sum(parts.values()) * 1e3, 1) for parts in (vision, language)]
    return {"pages": pages, "patches": rows, "tokens": length, "vision_ms": total[0], "prefill_ms": total[1], "sum_ms": round(sum(total), 1),
            "vision": milliseconds(vision), "prefill": milliseconds(language), "attention": {"vision": vision_kernel, "prefill": language_kernel}}


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--pages", default="10,150")
    parser.add_argument("--dtype", choices=["bf16", "fp16"], default="bf16")
    parser.add_argument("--tiny", action="store_true", help="a small size, to try this without a GPU")
    arguments = parser.parse_args()
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[arguments.dtype]
    if arguments.tiny:
        VISION.update(depth=1, hidden=128, heads=1, inner=128, out=128, merger=128)
        LANGUAGE.update(layers=1, hidden=128, heads=2, kv_heads=1, inner=128)
    rows = [measure(int(pages), dtype, (4, 4) if arguments.tiny else GRID) for pages in arguments.pages.split(",")]
    result = {"device": torch.cuda.get_device_name() if GPU else "cpu", "torch": torch.__version__, "dtype": arguments.dtype, "rows": rows}
    with open(arguments.out, "w") as out:
        json.dump(result, out, indent=1)
    for row in rows:
        print(f"{row['pages']} pages: vision {row['vision_ms']} ms, prefill {row['prefill_ms']} ms, sum {row['sum_ms']} ms")
        print("  vision", row["vision"], row["attention"]["vision"])
        print("  prefill", row["prefill"], row["attention"]["prefill"])


if __name__ == "__main__":
    main()
