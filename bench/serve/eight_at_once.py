#!/usr/bin/env python3
"""Answers a minute: eight questions at once on one document that was read before, against the same eight one after another.

Both ways alternate, round by round, against the same server, so that what else the machine does falls on both; every answer is
written to its full length (ignore_eos). The ratio is that of the medians.

usage: eight_at_once.py http://127.0.0.1:7860 [--pages 10] [--tokens 64] [--rounds 5]
"""
import argparse, json, random, statistics, threading, time, urllib.request

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("base")
parser.add_argument("--pages", type=int, default=10)
parser.add_argument("--tokens", type=int, default=64)
parser.add_argument("--rounds", type=int, default=5)
args = parser.parse_args()

QUESTIONS = 8
WORDS = "the page of a book that nobody wrote yet holds many plain words in no order at all".split()
THINGS = "garden kitchen harbour library station market theatre museum".split()


def post(path, body, kind="application/json"):
    return urllib.request.urlopen(urllib.request.Request(args.base + path, body, {"Content-Type": kind}), timeout=600)


def upload():
    rng = random.Random(time.time_ns())
    text = "".join(" ".join(rng.choice(WORDS) for _ in range(20)) + "\n" for _ in range(81 * args.pages))
    form = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + text.encode() + b"\r\n--B--\r\n"
    with post("/v1/documents", form, "multipart/form-data; boundary=B") as answer:
        document = json.load(answer)["id"]
    with urllib.request.urlopen(f"{args.base}/v1/documents/{document}/events", timeout=600) as events:
        for _ in events:
            pass
    return document


def ask(document, index):
    body = {"documents": [document], "messages": [{"role": "user", "content": f"What is written about the {THINGS[index]} on page {index + 1}?"}],
            "max_tokens": args.tokens, "ignore_eos": True, "temperature": 0}
    with post("/v1/chat/completions", json.dumps(body).encode()) as answer:
        reply = json.load(answer)
    usage = reply["usage"]
    assert usage["completion_tokens"] == args.tokens, usage
    return reply["choices"][0]["message"]["content"], usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]


def one_after_another(document):
    start = time.monotonic()
    return [ask(document, i) for i in range(QUESTIONS)], time.monotonic() - start


def at_once(document):
    answers = [None] * QUESTIONS

    def run(i):
        answers[i] = ask(document, i)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(QUESTIONS)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers, time.monotonic() - start


document = upload()
ask(document, 0)
alone, together, same = [], [], 0
for _ in range(args.rounds):
    first, seconds = one_after_another(document)
    alone.append(seconds)
    second, seconds = at_once(document)
    together.append(seconds)
    same += sum(a[0] == b[0] for a, b in zip(first, second))
_, prompt, cached = first[0]
print(f"{args.pages} pages, {prompt} prompt tokens, {cached} cached, {args.tokens} tokens an answer, {args.rounds} rounds")
for name, seconds in (("one after another", alone), ("at once", together)):
    median = statistics.median(seconds)
    print(f"{name:18} {60 * QUESTIONS / median:7.1f} answers a minute, {QUESTIONS * args.tokens / median:6.1f} tokens a second "
          f"(median {median:.2f} s; all: {' '.join(f'{s:.2f}' for s in seconds)})")
print(f"ratio of medians   {statistics.median(alone) / statistics.median(together):.2f}")
print(f"same text both ways: {same} of {QUESTIONS * args.rounds}")
