#!/usr/bin/env python3
"""Tokens a second of answers that quote their document, with guesses from its text and without: two servers, asked in turn.

usage: drafting.py http://127.0.0.1:7860 http://127.0.0.1:7861 [--lines 3] [--questions 8] [--question TEXT]
       (the first started with --draft-tokens N, the second with --draft-tokens 0)
"""
import argparse, json, random, statistics, urllib.request

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("drafting")
parser.add_argument("plain")
parser.add_argument("--lines", type=int, default=3)
parser.add_argument("--questions", type=int, default=8)
parser.add_argument("--question", default="Write down the text of the page.")
args = parser.parse_args()

WORDS = "river stone garden winter letter harbour silver window morning journey castle market doctor orange bridge paper".split()


def post(base, path, body, kind="application/json"):
    return urllib.request.urlopen(urllib.request.Request(base + path, body, {"Content-Type": kind}), timeout=600)


def upload(base, text):
    form = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + text.encode() + b"\r\n--B--\r\n"
    with post(base, "/v1/documents", form, "multipart/form-data; boundary=B") as answer:
        document = json.load(answer)["id"]
    with urllib.request.urlopen(f"{base}/v1/documents/{document}/events", timeout=600) as events:
        for _ in events:
            pass
    return document


def ask(base, document):
    body = {"documents": [document], "messages": [{"role": "user", "content": args.question}], "max_tokens": 256, "temperature": 0}
    with post(base, "/v1/chat/completions", json.dumps(body).encode()) as answer:
        reply = json.load(answer)
    tokens = reply["usage"]["completion_tokens"]
    return reply["choices"][0]["message"]["content"], tokens, reply["glyph"]["timings_ms"]["decode"] / 1e3


def counters(base):
    with urllib.request.urlopen(base + "/metrics", timeout=60) as metrics:
        lines = [line.decode().rsplit(" ", 1) for line in metrics if line.startswith(b"vllm:spec_decode")]
    return {name.split("{")[0].removeprefix("vllm:spec_decode_num_").removesuffix("_total"): float(value) for name, value in lines}


rng = random.Random(1)
speeds, ratios, same, quoted = {args.drafting: [], args.plain: []}, [], 0, []
before = counters(args.drafting)
for _ in range(args.questions):
    text = "".join(" ".join(rng.choice(WORDS) for _ in range(8)) + "\n" for _ in range(args.lines))
    answers = {}
    for base in (args.drafting, args.plain):
        document = upload(base, text)
        ask(base, document)
        answers[base] = min((ask(base, document) for _ in range(3)), key=lambda answer: answer[2])
        speeds[base].append(answers[base][1] / answers[base][2])
    ratios.append(speeds[args.drafting][-1] / speeds[args.plain][-1])
    same += answers[args.drafting][0] == answers[args.plain][0]
    words = answers[args.plain][0].split()
    quoted.append(sum(a == b for a, b in zip(words, text.split())) / len(text.split()))
after = counters(args.drafting)
counts = {name: after[name] - before[name] for name in after}
print(f"{args.questions} documents of {args.lines} lines, best of 3 answers each; {statistics.mean(quoted):.0%} of the words quoted in place")
for name, base in (("with guesses", args.drafting), ("without", args.plain)):
    print(f"{name:13} {statistics.median(speeds[base]):7.1f} tokens a second (median)")
print(f"ratio         {statistics.median(ratios):.2f} (median; {min(ratios):.2f} to {max(ratios):.2f}); same text: {same} of {args.questions}")
print(f"guesses       {counts['drafts']:.0f} of {counts['draft_tokens']:.0f} tokens, {counts['accepted_tokens']:.0f} right")
