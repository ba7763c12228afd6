#!/usr/bin/env python3
"""Many idle event streams beside a few answers that are being written: are streams dropped, and what memory does one cost?

usage: idle_streams.py GLYPH [-m MODEL_DIR] [--streams 10000] [--active 16] [--tokens 64]

Starts its own server on a free port. The idle streams watch a document that waits behind another one, whose reader (a stand-in for
glyph-extract, held back by a file) does not finish until all was measured; then every stream must see its document become ready.
Needs as many file descriptors as streams, in both processes (ulimit -n). Ends with 1 when a stream was dropped or memory exceeded 8 KB.
"""
import argparse, concurrent.futures, http.client, json, os, re, resource, selectors, shutil, socket, subprocess, sys, tempfile, threading, time

LIMIT_BYTES = 8192
HELD_READER = """#!/bin/sh
while [ ! -e "{gate}" ]; do sleep 0.1; done
exec "{reader}" "$@"
"""


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("glyph")
    parser.add_argument("-m", "--model")
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--active", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    return parser.parse_args()


class Server:
    def __init__(self, options, folder):
        self.gate = os.path.join(folder, "gate")
        reader = os.path.join(folder, "held-extract")
        with open(reader, "w") as script:
            script.write(HELD_READER.format(gate=self.gate, reader=os.path.join(os.path.dirname(os.path.abspath(options.glyph)), "glyph-extract")))
        os.chmod(reader, 0o755)
        command = [options.glyph, "serve", "--port", "0", "--state", os.path.join(folder, "state"), "--limit-helper-seconds", "3600",
                   "--log-file", os.path.join(folder, "requests.jsonl")] + (["-m", options.model] if options.model else [])
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, env=dict(os.environ, GLYPH_EXTRACT=reader))
        for line in self.process.stderr:
            if found := re.search(rb"http://127\.0\.0\.1:(\d+)/", line):
                self.port = int(found[1])
                break
        else:
            sys.exit("the server did not start")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))

    def call(self, method, path, body=None, kind="application/json"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request(method, path, body, {"Content-Type": kind} if body else {})
        answer = connection.getresponse().read()
        connection.close()
        return answer

    def upload(self, name, content):
        form = f'--B\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + content + b"\r\n--B--\r\n"
        return json.loads(self.call("POST", "/v1/documents", form, "multipart/form-data; boundary=B"))["id"]


class IdleStreams:
    """Open sockets, each with what it received; one selector thread reads them when asked to."""

    def __init__(self, port, document):
        self.port = port
        self.request = f"GET /v1/documents/{document}/events HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
        self.received = {}
        self.selector = selectors.DefaultSelector()
        self.closed = 0

    def open(self, count):
        for _ in range(count):
            stream = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            stream.sendall(self.request)
            stream.setblocking(False)
            self.received[stream] = b""
            self.selector.register(stream, selectors.EVENT_READ)
        self.read_until(lambda: all(b"event: progress" in text for text in self.received.values()), 120)

    def read_until(self, done, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ready = self.selector.select(0.2)
            for key, _ in ready:
                self.read(key.fileobj)
            if not ready and done():
                return True
        return done()

    def read(self, stream):
        try:
            got = stream.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        self.received[stream] += got
        if not got:
            self.closed += 1
            self.selector.unregister(stream)

    def close(self):
        for stream in self.received:
            stream.close()
        self.selector.close()


def answer(server, number, tokens):
    """(whole, tokens, seconds, first token) of one streamed answer."""
    body = {"messages": [{"role": "user", "content": f"Tell a long story about the number {number}."}], "stream": True, "max_tokens": tokens,
            "seed": number, "temperature": 1.0, "top_k": 0, "stream_options": {"include_usage": True}}
    began = time.monotonic()
    text = server.call("POST", "/v1/chat/completions", json.dumps(body).encode()).decode()
    spent = time.monotonic() - began
    usage = next((json.loads(line[5:])["usage"] for line in text.splitlines() if line.startswith("data: {") and '"usage":{' in line), None)
    return text.rstrip().endswith("data: [DONE]") and usage is not None, usage["completion_tokens"] if usage else 0, spent


def active_round(server, count, tokens):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        began = time.monotonic()
        answers = list(pool.map(lambda number: answer(server, number, tokens), range(count)))
    return sum(not whole for whole, _, _ in answers), sum(n for _, n, _ in answers) / (time.monotonic() - began)


def settled(server):
    time.sleep(1)
    return server.resident_bytes()


def measure(options, server):
    pdf = b"%PDF-1.4\n%held back by its reader\n"
    server.upload("held.pdf", pdf)
    waiting = server.upload("waiting.txt", b"The harbour bridge carries 48,213 vehicles a day.\n" * 40)
    warm = IdleStreams(server.port, waiting)
    warm.open(100)
    warm.close()
    dropped_alone, alone = active_round(server, options.active, options.tokens)
    before = settled(server)
    idle = IdleStreams(server.port, waiting)
    idle.open(options.streams)
    opened = settled(server)
    dropped_active, beside = active_round(server, options.active, options.tokens)
    after = settled(server)
    open(server.gate, "w").close()  # the first document is opened (and refused), then the waiting one is read
    idle.read_until(lambda: sum(b"0\r\n\r\n" in text[-16:] for text in idle.received.values()) == options.streams, 300)
    finished = sum(b'"state":"ready"' in text for text in idle.received.values())
    idle.close()
    return {"streams": options.streams, "dropped": options.streams - finished + idle.closed, "active": options.active,
            "active_dropped": dropped_alone + dropped_active, "bytes_a_stream": round((opened - before) / options.streams),
            "bytes_a_stream_with_answers": round((after - before) / options.streams),
            "resident_mib": [round(value / 2**20, 1) for value in (before, opened, after)],
            "tokens_a_second_alone": round(alone, 1), "tokens_a_second_beside": round(beside, 1)}


def main():
    options = arguments()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < options.streams + 100:
        sys.exit(f"{options.streams} streams need more than the {hard} file descriptors that ulimit -n allows")
    folder = tempfile.mkdtemp(prefix="glyph-idle-")
    server = Server(options, folder)
    try:
        figures = measure(options, server)
    finally:
        server.process.terminate()
        server.process.wait(60)
        shutil.rmtree(folder)
    print(json.dumps(figures, indent=1))
    return 1 if figures["dropped"] or figures["active_dropped"] or figures["bytes_a_stream"] > LIMIT_BYTES else 0


if __name__ == "__main__":
    sys.exit(main())
