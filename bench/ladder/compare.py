"""Prints what `glyph bench ladder` measured beside transformers, and both beside what was asked for.

    python bench/ladder/compare.py LADDER.json... [--yardstick YARDSTICK.json] [--starts START.json...]

Rows of several ladders are shown as one; what is not there is left out. YARDSTICK.json is that of transformers_yardstick.py, START.json those
of start_to_ready.py, from the same run on the same GPU.
"""

import argparse
import json
import pathlib

# What a row should reach on one H200 with ten pages.
WANTED = {"bf16": {"read_ms": 245, "token_ms": 4.7}, "fp16": {"read_ms": 245, "token_ms": 4.7}, "fp8": {"read_ms": 165, "token_ms": 2.5},
          "later": {"first_token_ms": 15}, "fp8-later": {"first_token_ms": 15}}
WANTED_PICTURE = {"bf16": {"vision_ms": 2100}}
WANTED_PEAK_GIB = {"fp8": 15, "int4": 11}
WANTED_SPEEDUP = 12
WANTED_STREAMS = 3500
WANTED_COMPILE_S, WANTED_PLAN_LOAD_MS, WANTED_READY_S = 60, 300, 5


def verdict(value, limit):
    return f"{value:.1f} of {limit}: {'ok' if value <= limit else 'too much'}"


def row_of(name, measured, stages, speedup=None, wanted=None):
    wanted = wanted or {}
    read = stages["vision"] + stages["prefill"]
    cells = [f"{name:46}", f"{measured['total_ms']:10.1f}", f"{measured['first_token_ms']:9.1f}", f"{stages['vision']:9.1f}", f"{stages['prefill']:9.1f}",
             f"{read:9.1f}", f"{measured['token_ms']:8.2f}", f"{measured['peak_memory_mib']:9.0f}", f"{speedup:7.2f}x" if speedup else " " * 8]
    notes = []
    for key, limit in wanted.items():
        value = {"read_ms": read, "vision_ms": stages["vision"]}.get(key) or measured[key]
        notes.append(f"{key} {verdict(value, limit)}")
    return " ".join(cells) + ("  " + ", ".join(notes) if notes else "")


def yardstick_row(name, measured):
    if "problem" in measured:
        return f"{name:46} {measured['problem']}"
    return row_of(name, measured, {"vision": measured["vision_ms"], "prefill": measured["prefill_ms"]})


def merge(ladders):
    """One ladder of all rows, each from the first that has it, grouped by workload; speed-ups are against fp32, or the first row there is."""
    whole = {"rows": []}
    for ladder in ladders:
        known = {(row["workload"], row["row"]) for row in whole["rows"]}
        whole["rows"] += [row for row in ladder.get("rows", []) if (row["workload"], row["row"]) not in known]
        whole = {**ladder, **{key: value for key, value in whole.items() if value}}
    order = list(dict.fromkeys(row["workload"] for row in whole["rows"]))
    whole["rows"].sort(key=lambda row: order.index(row["workload"]))
    for row in whole["rows"]:
        first = next((other for other in whole["rows"] if other["workload"] == row["workload"] and "total_ms" in other), row)
        row["speedup"] = first["total_ms"] / row["total_ms"] if "total_ms" in row else 0
    return whole


def print_rows(ladder, yardstick):
    print(f"{'':46} {'total ms':>10} {'first ms':>9} {'vision':>9} {'prefill':>9} {'both':>9} {'ms/token':>8} {'peak MiB':>9} {'speed-up':>8}")
    workload = None
    for row in ladder["rows"]:
        if row["workload"] != workload:
            workload = row["workload"]
            kind = "picture" if "picture" in workload else "pages"
            print(workload)
            if yardstick.get(kind, {}).get("pages") == row.get("pages", 1):
                print(yardstick_row(f"  transformers {yardstick['transformers']}, bf16", yardstick[kind]))
        if "problem" in row:
            print(f"  {row['label']:44} {row['problem']}")
            continue
        wanted = (WANTED_PICTURE if kind == "picture" else WANTED if row["pages"] == 10 else {}).get(row["row"])
        print(row_of("  " + row["label"], row, row["stages_ms"], row["speedup"], wanted))
    ten = [row for row in ladder["rows"] if "total_ms" in row and row["pages"] == 10 and "picture" not in row["workload"]]
    whole = [row["speedup"] for row in ten if row.get("patches", 0) > 0]
    if ten and ten[0]["row"] == "fp32":
        print(f"everything on against fp32 plain: {max(whole):.1f}x of {WANTED_SPEEDUP}x: {'ok' if max(whole) >= WANTED_SPEEDUP else 'too slow'}")
    for row in ten:
        if row["row"] in WANTED_PEAK_GIB:
            print(f"peak memory of {row['row']}, GiB: {verdict(row['peak_memory_mib'] / 1024, WANTED_PEAK_GIB[row['row']])} "
                  f"(planned, with what other workloads need: {row['planned_memory_mib'] / 1024:.1f})")


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


def read(files):
    """Those that are there and whole."""
    found = {}
    for file in files:
        try:
            found[pathlib.Path(file).stem] = json.loads(pathlib.Path(file).read_text())
        except (OSError, ValueError) as error:
            print(f"{file}: {error}")
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("ladders", nargs="+")
    parser.add_argument("--yardstick")
    parser.add_argument("--starts", nargs="*", default=[])
    arguments = parser.parse_args()
    ladders = list(read(arguments.ladders).values())
    if ladders:
        yardstick = next(iter(read([arguments.yardstick]).values()), {}) if arguments.yardstick else {}
        print_ladder(merge(ladders), yardstick)
    for name, start in read(arguments.starts).items():
        print(f"{name}: ready, s: {verdict(start['ready_s'], WANTED_READY_S)}, first answer {start['first_answer_s']:.2f} s later")


def print_ladder(ladder, yardstick):
    limits = ladder["limits"]
    print(f"{ladder['model']} on {ladder['device']}; at best {limits['tflop_per_s']} TFLOP/s in {limits['type']}, {limits['gbyte_per_s']} GB/s\n")
    print_rows(ladder, yardstick)
    print_growth(ladder, yardstick)
    if "streams" in ladder:
        s = ladder["streams"]
        ok = s["scheduled_tokens_per_s"] >= WANTED_STREAMS
        print(f"\n{s['streams']} streams on {s['documents']} documents: {s['scheduled_tokens_per_s']:.0f} tokens/s of {WANTED_STREAMS}: {'ok' if ok else 'too slow'} "
              f"(the language model alone: {s['model_tokens_per_s']:.0f})")
    if "stream_problem" in ladder:
        print(f"\nstreams: {ladder['stream_problem']}")
    if ladder.get("compile_ms"):
        print(f"plan: made in s: {verdict(ladder['compile_ms'] / 1e3, WANTED_COMPILE_S)}, read in ms: {verdict(ladder['plan_load_ms'], WANTED_PLAN_LOAD_MS)}")


if __name__ == "__main__":
    main()
