"""What a GPU does when: runs pipeline_bench inside this process, under PyTorch's profiler, and prints for each of its runs how long which
kernels took, in what order of size, and how long the GPU had nothing to do.

    python tools/cuda_timeline.py BIN_DIR OUT_DIR MODEL_DIR [pipeline_bench's options]

BIN_DIR has pipeline_timeline.so beside the programs (a build's bin, or tools/cuda_bundle.sh's). OUT_DIR gets table.txt and a trace of each
run, RUN.json.gz, for Perfetto or chrome://tracing. Needs torch with CUDA; without a GPU it tries out what can be tried.
"""

import ctypes
import gzip
import json
import pathlib
import re
import sys

import torch

ACTIVITY = torch.profiler.ProfilerActivity
WATCHER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int)
KERNELS = {"kernel", "gpu_memcpy", "gpu_memset"}
NAME_WIDTH = 90


def short_name(name):
    """A kernel's name without namespaces, arguments and return type."""
    name = re.sub(r"\(anonymous namespace\)::|glyph::ops::cuda::|^void ", "", name)
    depth = 0
    for at, letter in enumerate(name):  # the arguments begin at the first parenthesis outside of templates
        depth += {"<": 1, ">": -1}.get(letter, 0)
        if letter == "(" and depth == 0:
            return name[:at]
    return name


def busy_time(spans):
    """Microseconds covered by any of (begin, end)."""
    covered, until = 0.0, float("-inf")
    for begin, end in sorted(spans):
        covered += max(0.0, end - max(begin, until))
        until = max(until, end)
    return covered


def table_of(name, events):
    """Lines about one run; events: those of a chrome trace that ran on the GPU."""
    spans = [(event["ts"], event["ts"] + event["dur"]) for event in events]
    total, busy = max(end for _, end in spans) - min(begin for begin, _ in spans), busy_time(spans)
    yield f"== {name}: {total / 1e3:.2f} ms from the first kernel to the last, the GPU idle for {(total - busy) / 1e3:.2f}; {len(events)} kernels and copies"
    groups = {}
    for event in events:
        groups.setdefault(short_name(event["name"]), []).append(event["dur"])
    for kernel, times in sorted(groups.items(), key=lambda item: -sum(item[1]))[:25]:
        share = sum(times) / total
        yield f"{sum(times) / 1e3:9.2f} ms {share:6.1%} {len(times):6} x {sum(times) / len(times):8.1f} us  {kernel[:NAME_WIDTH]}"


class Tracer:
    """Starts and stops the profiler when pipeline_bench says so."""

    def __init__(self, out):
        self.out, self.profiler, self.lines = out, None, []

    def watch(self, name, begins):
        activities = [ACTIVITY.CUDA] if torch.cuda.is_available() else [ACTIVITY.CPU]
        if begins:
            self.profiler = torch.profiler.profile(activities=activities)
            self.profiler.start()
            return
        self.profiler.stop()
        name = name.decode()
        path = self.out / f"{name}.json"
        self.profiler.export_chrome_trace(str(path))
        text = path.read_text()
        path.unlink()
        with gzip.open(f"{path}.gz", "wt") as packed:
            packed.write(text)
        events = [event for event in json.loads(text)["traceEvents"] if event.get("cat") in KERNELS]
        for line in table_of(name, events) if events else [f"== {name}: nothing ran on a GPU"]:
            print(line, flush=True)
            self.lines.append(line)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    library = ctypes.CDLL(str(pathlib.Path(sys.argv[1]).resolve() / "pipeline_timeline.so"))
    out = pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    if torch.cuda.is_available():
        torch.zeros(1, device="cuda")  # the profiler wants a context
    tracer = Tracer(out)
    arguments = [argument.encode() for argument in ["pipeline_bench", *sys.argv[3:]]]
    code = library.pipeline_bench(len(arguments), (ctypes.c_char_p * len(arguments))(*arguments), WATCHER(tracer.watch))
    (out / "table.txt").write_text("\n".join(tracer.lines) + "\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
