#!/usr/bin/env python3
"""Time to the first token of the first question on a document: cold, in the same server, and after kill -9 and a restart.

usage: restart_time_to_first_token.py GLYPH TEXT_FILE [pages [more flags of glyph serve ...]]

Starts GLYPH serve itself, with a new state folder that is deleted at the end. The document is the beginning of TEXT_FILE, cut to
about that many pages (default: 10). Before each start the files of the disk cache are dropped from the page cache of the system, so
that they come from the disk. Cold counts from the upload; all others from the question. Three rounds; prints one JSON object.
"""
import json, os, re, subprocess, sys, tempfile, time, urllib.request
from pathlib import Path
from statistics import median

glyph, text_file = sys.argv[1:3]
pages = int(sys.argv[3]) if len(sys.argv) > 3 else 10
flags = sys.argv[4:]
CHARACTERS_A_PAGE = 7900  # of prose in the default style


class Server:
    def __init__(self, state):
        self.drop_from_memory(state)
        start = time.monotonic()
        self.process = subprocess.Popen([glyph, "serve", "--port", "0", "--state", state, *flags], stderr=subprocess.PIPE)
        for line in self.process.stderr:
            if found := re.search(rb"http://\S+:(\d+)/", line):
                break
        self.base, self.seconds = f"http://127.0.0.1:{int(found[1])}", time.monotonic() - start

    @staticmethod
    def drop_from_memory(state):
        for path in Path(state).rglob("cache/*/*"):
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def open(self, path, body=None, kind="application/json"):
        return urllib.request.urlopen(urllib.request.Request(self.base + path, body, {"Content-Type": kind} if body else {}), timeout=900)

    def upload(self, text):
        form = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + text.encode() + b"\r\n--B--\r\n"
        with self.open("/v1/documents", form, "multipart/form-data; boundary=B") as answer:
            return json.load(answer)["id"]

    def ask(self, document, words):
        """Seconds to the first token; what the server says about the answer."""
        body = {"messages": [{"role": "user", "content": words}], "documents": [document], "stream": True, "max_tokens": 8}
        start, first, figures = time.monotonic(), None, None
        with self.open("/v1/chat/completions", json.dumps(body).encode()) as lines:
            for line in lines:
                if first is None and re.search(rb'"(reasoning_)?content":"[^"]', line):
                    first = time.monotonic() - start
                if b'"glyph"' in line:
                    figures = json.loads(line[5:])["glyph"]
        return first if first is not None else time.monotonic() - start, figures

    def wait_until_ready(self, document):
        self.open(f"/v1/documents/{document}/events").read()

    def wait_until_written(self):
        while not re.search(rb"^glyph_cache_unwritten_entries\S* 0$", self.open("/metrics").read(), re.MULTILINE):
            time.sleep(0.05)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


def one_round(text):
    with tempfile.TemporaryDirectory() as state:
        server = Server(state)
        start = time.monotonic()
        document = server.upload(text)
        upload = time.monotonic() - start
        cold, figures = server.ask(document, "What is written on page one?")
        result = {"pages": figures["pages"], "image_tokens": figures["image_tokens"], "cold": upload + cold}
        server.wait_until_ready(document)  # reading ahead may still run
        result["second_question"], _ = server.ask(document, "And on page two?")
        server.wait_until_written()
        server.kill()
        result["disk_mib"] = sum(path.stat().st_size for path in Path(state).rglob("cache/*/*")) / 2**20
        server = Server(state)
        result["start"] = server.seconds
        result["restarted_asked_at_once"], figures = server.ask(document, "What is written on page one?")
        result["cached_tokens"] = figures["cached_tokens"]
        server.kill()
        server = Server(state)
        server.wait_until_ready(document)
        result["restarted_asked_when_ready"], _ = server.ask(document, "What is written on page one?")
        server.kill()
        return result


text = Path(text_file).read_text(encoding="utf-8", errors="replace")[:pages * CHARACTERS_A_PAGE]
rounds = [one_round(text) for _ in range(3)]
result = {name: round(median(each[name] for each in rounds), 4) for name in rounds[0]}
result["cold_over_restarted_at_once"] = round(median(each["cold"] / each["restarted_asked_at_once"] for each in rounds), 1)
result["cold_over_restarted_when_ready"] = round(median(each["cold"] / each["restarted_asked_when_ready"] for each in rounds), 1)
print(json.dumps(result, indent=1))
