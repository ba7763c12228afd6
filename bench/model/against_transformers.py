"""Page encode, prefill and decode of our CPU backend against transformers: same weights, inputs, threads and run.

    python bench/model/against_transformers.py BUILD/bin/model_stages [--pages 10] [--threads 2] [--json FILE]

The model has random weights at the size of a small reading model (about 30 M parameters). transformers is timed without its image
processor and without generate(), which favours it; ours includes the image processor.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "model_oracle"))
import tiny_model  # noqa: E402

SIZES = {
    "vision_config": dict(depth=8, hidden_size=384, num_heads=6, image_size=336, patch_size=14, out_hidden_size=512,
                          intermediate_size=1024, attention_bias=False),
    "text_config": dict(vocab_size=4096, hidden_size=512, intermediate_size=1408, num_hidden_layers=8, num_attention_heads=8,
                        num_key_value_heads=2, max_position_embeddings=32768, pad_token_id=0,
                        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5,
                                         "mrope_section": [4, 6, 6]}),
    "tokens": tiny_model.TINY["tokens"],
}


def timed(work, repeat=1):
    """The fastest wall-clock time of `repeat` calls, the mean time computed by all threads, and the last result."""
    best, before = float("inf"), time.process_time()
    for _ in range(repeat):
        start = time.perf_counter()
        result = work()
        best = min(best, (time.perf_counter() - start) * 1e3)
    return best, (time.process_time() - before) * 1e3 / repeat, result


@torch.no_grad()
def time_transformers(model, pages, ids, num_tokens):
    pixel_values, grids, _ = tiny_model.process(pages[:1])
    pixel_values = pixel_values.to(model.dtype)
    encode = lambda: model.model.get_image_features(pixel_values, grids).pooler_output[0]  # noqa: E731
    page_ms, page_cpu_ms, features = timed(encode, repeat=3)
    embeds = model.get_input_embeddings()(ids)
    embeds[ids == model.config.image_token_id] = features.repeat(len(pages), 1)
    types = (ids == model.config.image_token_id).int()
    positions, _ = model.model.get_rope_index(ids, image_grid_thw=grids.repeat(len(pages), 1), mm_token_type_ids=types)

    def prefill():
        output = model.model.language_model(inputs_embeds=embeds, position_ids=positions, use_cache=True)
        return output.past_key_values, model.lm_head(output.last_hidden_state[:, -1:])

    prefill_ms, prefill_cpu_ms, (cache, logits) = timed(prefill)
    position = positions.max() + 1

    def decode():
        nonlocal logits, position
        for _ in range(num_tokens):
            token = logits[:, -1].argmax(-1, keepdim=True)
            where = position.reshape(1, 1, 1).expand(3, 1, 1)
            output = model.model.language_model(inputs_embeds=model.get_input_embeddings()(token), position_ids=where,
                                                past_key_values=cache, use_cache=True)
            logits = model.lm_head(output.last_hidden_state)
            position = position + 1

    decode_ms, decode_cpu_ms, _ = timed(decode)
    return {"page_ms": page_ms, "page_cpu_ms": page_cpu_ms, "prefill_ms": prefill_ms, "prefill_cpu_ms": prefill_cpu_ms,
            "decode_ms": decode_ms / num_tokens, "decode_cpu_ms": decode_cpu_ms / num_tokens}


def time_ours(program, folder, precision, threads, num_tokens):
    command = [program, folder, folder / "in.safetensors", folder / "out.safetensors", f"precision={precision}", f"threads={threads}",
               f"tokens={num_tokens + 1}"]
    return json.loads(subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=30)
    parser.add_argument("--only-ours", action="store_true")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pages = [tiny_model.page(f"page.{i}", 1, 842, 595, 1) for i in range(arguments.pages)]
    model = tiny_model.build_model(1, SIZES, attention="sdpa").to(torch.bfloat16)
    grids = torch.tensor([[1, 60, 42]] * arguments.pages)
    ids = tiny_model.make_prompt(grids, SIZES, num_words=20)
    table = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model.save_pretrained(folder)
        inputs = {f"page.{i}": torch.from_numpy(page) for i, page in enumerate(pages)}
        save_file({**inputs, "ids": ids[0].to(torch.int32)}, folder / "in.safetensors")
        for precision, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
            ours = time_ours(arguments.program, folder, precision, arguments.threads, arguments.tokens)
            row = {"ours": ours}
            if not arguments.only_ours:
                row["transformers"] = time_transformers(model.to(dtype), pages, ids, arguments.tokens)
                row["ratio"] = {key: row["transformers"][key] / ours[key] for key in row["transformers"]}
            table[precision] = row
    print(f"{ids.shape[1]} prompt tokens, {arguments.pages} pages, {arguments.threads} threads, {table['f32']['ours']['device']}")
    for precision, row in table.items():
        for name, values in row.items():
            numbers = {key: value for key, value in values.items() if not isinstance(value, str)}
            print(f"{precision:5} {name:13}", "  ".join(f"{key} {value:.2f}" for key, value in numbers.items()))
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
