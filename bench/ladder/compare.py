"""Prints what `glyph bench ladder` measured beside transformers, and both beside what was asked for.

    python bench/ladder/compare.py LADDER.json [YARDSTICK.json]

YARDSTICK.json is that of transformers_yardstick.py, from the same run on the same GPU.
"""

import json
import sys

# What a row should reach on one H200 with ten pages.
WANTED = {"bf16": {"read_ms": 245, "token_ms": 4.7}, "fp16": {"read_ms": 245, "token_ms": 4.7}, "fp8": {"read_ms": 165, "token_ms": 2.5},
          "later": {"first_token_ms": 15}, "fp8-later": {"first_token_ms": 15}}
WANTED_SPEEDUP = 12
WANTED_STREAMS = 3500


def row_of(name, measured, stages, speedup=None, wanted=None):
    wanted = wanted or {}
    read = stages["vision"] + stages["prefill"]
    cells = [f"{name:46}", f"{measured['total_ms']:10.1f}", f"{measured['first_token_ms']:9.1f}", f"{stages['vision']:9.1f}", f"{stages['prefill']:9.1f}",
             f"{read:9.1f}", f"{measured['token_ms']:8.2f}", f"{measured['peak_memory_mib']:9.0f}", f"{speedup:7.2f}x" if speedup else " " * 8]
    notes = []
    for key, limit in wanted.items():
        value = read if key == "read_ms" else measured[key]
        notes.append(f"{key} {value:.1f} of {limit}: {'ok' if value <= limit else 'too slow'}")
    return " ".join(cells) + ("  " + ", ".join(notes) if notes else "")


def yardstick_row(name, measured):
    if "problem" in measured:
        return f"{name:46} {measured['problem']}"
    return row_of(name, measured, {"vision": measured["vision_ms"], "prefill": measured["prefill_ms"]})


def print_rows(ladder, yardstick):
    print(f"{'':46} {'total ms':>10} {'first ms':>9} {'vision':>9} {'prefill':>9} {'both':>9} {'ms/token':>8} {'peak MiB':>9} {'speed-up':>8}")
    workload = None
    for row in ladder["rows"]:
        if row["workload"] != workload:
            workload = row["workload"]
            kind = "picture" if "picture" in workload else "pages"
            print(workload)
            if kind in yardstick:
                print(yardstick_row(f"  transformers {yardstick['transformers']}, bf16", yardstick[kind]))
        if "problem" in row:
            print(f"  {row['label']:44} {row['problem']}")
            continue
        wanted = WANTED.get(row["row"]) if kind == "pages" else None
        print(row_of("  " + row["label"], row, row["stages_ms"], row["speedup"], wanted))
    whole = [row["speedup"] for row in ladder["rows"] if "picture" not in row["workload"] and row.get("patches", 0) > 0]
    best = max(whole, default=0)
    if len(ladder["rows"]) > 1:
        print(f"everything on against fp32 plain: {best:.1f}x of {WANTED_SPEEDUP}x: {'ok' if best >= WANTED_SPEEDUP else 'too slow'}")


def print_growth(ladder, yardstick):
    if "growth" not in ladder:
        return
    print(f"\n{'pages':>6} {'tokens':>8} {'first ms':>10} {'vision':>10} {'prefill':>10} {'ms/token':>8} {'peak MiB':>9} | {'text tokens':>11} {'first ms':>10} "
          f"{'ms/token':>8} | {'transformers':>12} {'ms/token':>8}   ({ladder['growth_precision']})")
    for entry in ladder["growth"]:
        pages, text, theirs = entry["as_pages"], entry.get("as_text"), yardstick.get(f"grow.{entry['pages']}", {})
        line = (f"{entry['pages']:6} {pages['prompt_tokens']:8} {pages['first_token_ms']:10.1f} {pages['stages_ms']['vision']:10.1f} "
                f"{pages['stages_ms']['prefill']:10.1f} {pages['token_ms']:8.2f} {pages['peak_memory_mib']:9.0f} |")
        line += f" {text['prompt_tokens']:11} {text['first_token_ms']:10.1f} {text['token_ms']:8.2f} |" if text else " " * 32 + "|"
        if "first_token_ms" in theirs:
            line += f" {theirs['first_token_ms']:12.1f} {theirs['token_ms']:8.2f}"
        print(line + ("  " + entry["problem"] if "problem" in entry else ""))


def main():
    ladder = json.load(open(sys.argv[1]))
    yardstick = {}
    if len(sys.argv) > 2:
        try:
            yardstick = json.load(open(sys.argv[2]))
        except OSError:
            print("transformers was not measured")
    limits = ladder["limits"]
    print(f"{ladder['model']} on {ladder['device']}; at best {limits['tflop_per_s']} TFLOP/s in {limits['type']}, {limits['gbyte_per_s']} GB/s\n")
    print_rows(ladder, yardstick)
    print_growth(ladder, yardstick)
    if "streams" in ladder:
        s = ladder["streams"]
        ok = s["scheduled_tokens_per_s"] >= WANTED_STREAMS
        print(f"\n{s['streams']} streams on {s['documents']} documents: {s['scheduled_tokens_per_s']:.0f} tokens/s of {WANTED_STREAMS}: {'ok' if ok else 'too slow'} "
              f"(the language model alone: {s['model_tokens_per_s']:.0f})")


if __name__ == "__main__":
    main()
