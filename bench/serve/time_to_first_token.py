#!/usr/bin/env python3
"""Time to the first token of questions on one document: with the document given along (nothing cached), after upload, and again.

usage: time_to_first_token.py http://127.0.0.1:7860 [pages]
"""
import base64, json, random, sys, time, urllib.request

base, pages = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10
words = "the page of a book that nobody wrote yet holds many plain words in no order at all".split()


def text(seed):
    rng = random.Random(seed)
    return "".join(" ".join(rng.choice(words) for _ in range(20)) + "\n" for _ in range(81 * pages))


def post(path, body, kind="application/json"):
    request = urllib.request.Request(base + path, body, {"Content-Type": kind})
    return urllib.request.urlopen(request, timeout=600)


def ttft(message, **fields):
    body = {"messages": [{"role": "user", "content": message}], "stream": True, "max_tokens": 8, **fields}
    start, first, last = time.monotonic(), None, None
    with post("/v1/chat/completions", json.dumps(body).encode()) as lines:
        for line in lines:
            if first is None and line.startswith(b"data:"):
                first = time.monotonic() - start
            if b'"glyph"' in line:
                last = json.loads(line[5:])["glyph"]
    return first, last


def upload(content):
    form = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + content.encode() + b"\r\n--B--\r\n"
    start = time.monotonic()
    with post("/v1/documents", form, "multipart/form-data; boundary=B") as answer:
        document = json.load(answer)["id"]
    for line in urllib.request.urlopen(f"{base}/v1/documents/{document}/events", timeout=600):
        pass
    return document, time.monotonic() - start


data = base64.b64encode(text(1).encode()).decode()
parts = [{"type": "file", "file": {"filename": "a.txt", "file_data": data}}, {"type": "text", "text": "What is written on page one?"}]
first, glyph = ttft(parts)
print(f"first question, document given along: {first:.3f} s, {glyph['pages']} pages, {glyph['cached_tokens']} tokens cached")
parts[1] = {"type": "text", "text": "And what is written on page two?"}
second, glyph = ttft(parts)
print(f"second question on it:                {second:.4f} s, {glyph['cached_tokens']} tokens cached, {first / second:.0f}x less")
document, seconds = upload(text(2))
print(f"another document, upload to ready:    {seconds:.3f} s")
for name in ("first", "second"):
    spent, glyph = ttft(f"This is the {name} question: what is it about?", documents=[document])
    print(f"{name} question after ready:{' ' * (13 - len(name))}{spent:.4f} s, {glyph['cached_tokens']} tokens cached")
