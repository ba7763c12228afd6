#!/usr/bin/env python3
"""Tokens a second of a running answer while a document is uploaded and read, against the same answer undisturbed.

Rounds alternate, so that what else the machine does falls on both; the answer is written on and on (ignore_eos) and cut off by the
reader. The longest pause between two pieces of the answer is told, too, and what the answer costs the upload.

usage: running_answer.py http://127.0.0.1:7860 [--pages 20] [--rounds 3] [--seconds 4]
"""
import argparse, json, random, statistics, threading, time, urllib.request

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("base")
parser.add_argument("--pages", type=int, default=20)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--seconds", type=float, default=4, help="undisturbed, before and after each upload")
args = parser.parse_args()

WORDS = "the page of a book that nobody wrote yet holds many plain words in no order at all".split()


def post(path, body, kind="application/json"):
    return urllib.request.urlopen(urllib.request.Request(args.base + path, body, {"Content-Type": kind}), timeout=600)


def upload(pages):
    """Seconds from the first byte to the state ready, and the document."""
    rng = random.Random(time.time_ns())
    text = "".join(" ".join(rng.choice(WORDS) for _ in range(20)) + "\n" for _ in range(81 * pages))
    form = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + text.encode() + b"\r\n--B--\r\n"
    start = time.monotonic()
    with post("/v1/documents", form, "multipart/form-data; boundary=B") as answer:
        document = json.load(answer)["id"]
    with urllib.request.urlopen(f"{args.base}/v1/documents/{document}/events", timeout=600) as events:
        for _ in events:
            pass
    return time.monotonic() - start, document


class Answer:
    """Reads a stream on a thread of its own and notes when each piece came."""

    def __init__(self, document):
        body = {"documents": [document], "messages": [{"role": "user", "content": "Write down what is on the page."}], "stream": True,
                "max_tokens": 16384, "ignore_eos": True, "temperature": 0}
        self.times = []
        self.stream = post("/v1/chat/completions", json.dumps(body).encode())
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        try:
            for line in self.stream:
                if line.startswith(b"data: {"):
                    self.times.append(time.monotonic())
        except (ValueError, OSError, AttributeError):
            pass  # cut off

    def rate(self, begin, end):
        inside = [t for t in self.times if begin <= t <= end]
        pauses = [b - a for a, b in zip(inside, inside[1:])]
        return len(inside) / (end - begin), max(pauses, default=end - begin)

    def cut(self):
        self.stream.fp.raw._sock.shutdown(2)
        self.thread.join()


_, small = upload(1)
undisturbed, disturbed, pauses, alone, beside = [], [], [], [], []
for _ in range(args.rounds):
    answer = Answer(small)
    while len(answer.times) < 8:
        time.sleep(0.01)
    before = time.monotonic()
    time.sleep(args.seconds)
    begin = time.monotonic()
    seconds, _ = upload(args.pages)
    time.sleep(args.seconds)
    after = time.monotonic()
    rate, pause = answer.rate(begin, begin + seconds)
    undisturbed.append((answer.rate(before, begin)[0] + answer.rate(begin + seconds, after)[0]) / 2)
    assert answer.thread.is_alive(), "the answer ended before the document was read"
    answer.cut()
    disturbed.append(rate)
    pauses.append(pause)
    beside.append(seconds)
    alone.append(upload(args.pages)[0])

ratio = statistics.median(d / u for d, u in zip(disturbed, undisturbed))
print(f"{args.pages} pages, {args.rounds} rounds; medians (all)")
for name, values, unit in (("answer undisturbed", undisturbed, "tokens a second"), ("while it is read", disturbed, "tokens a second"),
                           ("longest pause", pauses, "s"), ("upload to ready alone", alone, "s"), ("beside the answer", beside, "s")):
    print(f"{name:22} {statistics.median(values):8.2f} {unit} ({' '.join(f'{v:.2f}' for v in values)})")
print(f"the answer keeps       {100 * ratio:.0f} % of its speed (median of the rounds' ratios); the upload takes {statistics.median(beside) / statistics.median(alone):.1f} times as long")
