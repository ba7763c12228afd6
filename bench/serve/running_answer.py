#!/usr/bin/env python3
"""Tokens a second of a running answer while a document is uploaded and read, against the same tokens of the same answer undisturbed.

The answer is greedy and written on and on (ignore_eos) until the reader cuts it off. A token takes longer the more stand before it, so
the tokens that came while the document was read are compared with themselves: the answer is asked for again, with nothing beside it.
Both happen in every round, so that what else the machine does falls on both. The longest pause between two pieces is told, too, and
what the answer costs the upload.

usage: running_answer.py http://127.0.0.1:7860 [--pages 20] [--rounds 3] [--seconds 2]
"""
import argparse, json, random, statistics, threading, time, urllib.request

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("base")
parser.add_argument("--pages", type=int, default=20)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--seconds", type=float, default=2, help="undisturbed, before each upload")
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

    def wait_for(self, count):
        while len(self.times) < count:
            assert self.thread.is_alive(), "the answer ended too soon"
            time.sleep(0.01)

    def seconds(self, first, last):
        return self.times[last] - self.times[first]

    def pause(self, first, last):
        return max(b - a for a, b in zip(self.times[first:last], self.times[first + 1:last + 1]))

    def cut(self):
        self.stream.fp.raw._sock.shutdown(2)
        self.thread.join()


_, small = upload(1)
undisturbed, disturbed, ratios, pauses, own_pauses, alone, beside = [], [], [], [], [], [], []
for _ in range(args.rounds):
    answer = Answer(small)
    answer.wait_for(8)
    time.sleep(args.seconds)
    first = len(answer.times)
    seconds, _ = upload(args.pages)
    answer.wait_for(first + 2)
    last = len(answer.times) - 1
    answer.cut()
    again = Answer(small)
    again.wait_for(last + 1)
    again.cut()
    disturbed.append((last - first) / answer.seconds(first, last))
    undisturbed.append((last - first) / again.seconds(first, last))
    ratios.append(disturbed[-1] / undisturbed[-1])
    pauses.append(answer.pause(first, last))
    own_pauses.append(again.pause(first, last))
    beside.append(seconds)
    alone.append(upload(args.pages)[0])

print(f"{args.pages} pages, {args.rounds} rounds; medians (all)")
for name, values, unit in (("answer undisturbed", undisturbed, "pieces a second"), ("while it is read", disturbed, "pieces a second"),
                           ("longest pause", pauses, "s"), ("undisturbed", own_pauses, "s"), ("upload to ready alone", alone, "s"),
                           ("beside the answer", beside, "s")):
    print(f"{name:22} {statistics.median(values):8.2f} {unit} ({' '.join(f'{v:.2f}' for v in values)})")
print(f"the answer keeps       {100 * statistics.median(ratios):.0f} % of its speed ({' '.join(f'{100 * v:.0f}' for v in ratios)}); "
      f"the upload takes {statistics.median(beside) / statistics.median(alone):.1f} times as long")
