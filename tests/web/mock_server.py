#!/usr/bin/env python3
"""A test fixture for the tests of web/, and nothing else: speaks the server's HTTP contract with canned data.

No model, no drawing: pages are striped PNGs, answers are fixed sentences. Usage: mock_server.py [PORT]
POST /mock {"fail_chat": "sentence", "missing": ["/v1/render"], "slow": 2.0} changes how it behaves; {} resets it.
"""
import base64
import json
import mimetypes
import re
import struct
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WEB = Path(__file__).resolve().parents[2] / "web"
CSP = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'")
PAGE = (595, 842)
SENTENCE = "The harbour bridge carries 48,213 vehicles a day and was opened in the spring of 1932."
ANSWER = ("The report says “carries 48,213 vehicles a day” on its **second page**, and claims “it was painted green” elsewhere.\n\n"
          "| Item | Value |\n|---|---|\n| vehicles | 48,213 |\n| opened | 1932 |\n\n- first point\n- second point\n")
STAGES = ["extracting", "drawing", "encoding", "reading"]


def png(width, height, seed=0):
    """Grey stripes that look like lines of text."""
    rows = bytearray()
    for y in range(height):
        inside = 20 < y < height - 20 and (y + seed) % 10 < 5
        ink = width - 40 - (y // 10 * 37 + seed * 11) % 160
        rows += b"\0" + (b"\xff" * 20 + (b"\x55\x99\xdd" * width)[:ink] + b"\xff" * (width - 20 - ink) if inside else b"\xff" * width)

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(rows), 1)) + chunk(b"IEND", b"")


class World:
    """What the server remembers, and how it is told to misbehave."""

    def __init__(self):
        self.lock = threading.Lock()
        self.clear()

    def clear(self):
        self.documents, self.conversations, self.behaviour, self.asked = {}, {}, {}, 0
        self.requests = []

    def upload(self, name, data, style):
        key = f"doc_{zlib.crc32(data + json.dumps(style, sort_keys=True).encode()):08x}"
        with self.lock:
            if key not in self.documents:
                failed = data.startswith(b"BROKEN")
                self.documents[key] = {"born": time.time(), "failed": failed, "document": {
                    "id": key, "object": "document", "name": name, "bytes": len(data), "created_at": int(time.time()),
                    "dpi": (style or {}).get("dpi", 72), "warnings": []}}
        return self.view(key)

    def view(self, key):
        entry = self.documents[key]
        pace = self.behaviour.get("slow", 0.4)  # seconds a stage
        age = (time.time() - entry["born"]) / pace
        stage = int(age)
        document = dict(entry["document"], error=None, pages=12, pages_done=12, tokens_read=6358, tokens_to_read=6358,
                        text_tokens=20346, image_tokens=6358, compression=3.2, left_ms=None, state="ready")
        if entry["failed"] and age > 0.3:
            document.update(state="failed", error=f"{document['name']} is damaged: no page could be read.", pages=None)
        elif stage < len(STAGES):
            document.update(state=STAGES[stage], pages_done=int((age - stage) * 12), left_ms=int((4 - age) * pace * 1000),
                            tokens_read=int((age - stage) * 6358) if stage == 3 else 0, pages=None if stage == 0 else 12)
        return document


WORLD = World()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.route("GET")

    def do_POST(self):
        self.route("POST")

    def do_PUT(self):
        self.route("PUT")

    def do_DELETE(self):
        self.route("DELETE")

    def route(self, method):
        path = self.path.split("?")[0]
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        WORLD.requests.append((method, path))
        if any(re.fullmatch(pattern, path) for pattern in WORLD.behaviour.get("missing", [])):
            return self.refuse(404, "There is no such route.", "not_found_error")
        for verb, pattern, handler in ROUTES:
            match = re.fullmatch(pattern, path)
            if verb == method and match:
                try:
                    return handler(self, *match.groups())
                except KeyError as missing:
                    return self.refuse(404, f"There is no {missing.args[0]}.", "not_found_error")
                except (BrokenPipeError, ConnectionResetError):
                    return None
        return self.file(path) if method == "GET" else self.refuse(404, "There is no such route.", "not_found_error")

    def reply(self, data, content_type="application/json", status=200):
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", CSP)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status, message, kind):
        self.reply({"error": {"message": message, "type": kind, "param": None, "code": None}}, status=status)

    def start_events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def event(self, text):
        self.wfile.write(text.encode() + b"\n\n")
        self.wfile.flush()

    def file(self, path):
        name = "index.html" if path == "/" else path[1:]
        if "/" in name or not (WEB / name).is_file():
            return self.refuse(404, "There is no such file.", "not_found_error")
        kind = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0]
        return self.reply((WEB / name).read_bytes(), kind)

    def json(self):
        return json.loads(self.body or b"{}")

    def behave(self):
        settings = self.json()
        if settings.pop("clear", False):
            WORLD.clear()
        WORLD.behaviour = settings
        self.reply({"requests": WORLD.requests})

    def upload(self):
        boundary = re.search(r"boundary=(.+)", self.headers["Content-Type"]).group(1).encode()
        name, data, style = "", b"", None
        for part in self.body.split(b"--" + boundary)[1:-1]:
            head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
            if b'name="style"' in head:
                style = json.loads(content)
            else:
                name, data = re.search(rb'filename="(.*?)"', head).group(1).decode(), content
        self.reply(WORLD.upload(name, data, style), status=202)

    def documents(self):
        self.reply({"object": "list", "data": [WORLD.view(key) for key in reversed(WORLD.documents)]})

    def document(self, key):
        self.reply(WORLD.view(key))

    def delete_document(self, key):
        del WORLD.documents[key]
        self.reply({"id": key, "object": "document.deleted", "deleted": True})

    def document_events(self, key):
        WORLD.view(key)
        self.start_events()
        while True:
            document = WORLD.view(key)
            self.event(f"event: progress\ndata: {json.dumps(document)}")
            if document["state"] in ("ready", "failed"):
                return
            time.sleep(0.05)

    def page(self, key, number):
        WORLD.view(key)
        self.reply(png(*PAGE, int(number)), "image/png")

    def text(self, key):
        WORLD.view(key)
        self.reply((SENTENCE + "\n").encode() * 40, "text/plain; charset=utf-8")

    def find(self, key):
        WORLD.view(key)
        matches = []
        for quote in self.json()["quotes"]:
            found = "".join(quote.split()) in "".join(SENTENCE.split())
            boxes = [{"page": 2, "x0": 120, "y0": 310, "x1": 330, "y1": 320}] if found else []
            matches.append({"quote": quote, "found": found, "boxes": boxes})
        self.reply({"matches": matches})

    def chat(self):
        request = self.json()
        if "fail_chat" in WORLD.behaviour:
            return self.refuse(400, WORLD.behaviour["fail_chat"], "invalid_request_error")
        WORLD.asked += 1
        again = WORLD.asked > 1
        glyph = {"pages": 12, "text_tokens": 20346, "image_tokens": 6358, "compression": 3.2, "cached_tokens": 6358 if again else 0,
                 "timings_ms": {"extract": 3, "render": 2.4, "vision": 0 if again else 812, "prefill": 40 if again else 2210,
                                "decode": 640, "ttft": 84 if again else 3020, "total": 3700}}
        usage = {"prompt_tokens": 6400, "completion_tokens": 58, "total_tokens": 6458,
                 "prompt_tokens_details": {"cached_tokens": glyph["cached_tokens"], "image_tokens": 6358}}
        answer = request["messages"][-1]["content"] if request["messages"][-1]["content"].startswith("SAY ") else ANSWER
        self.start_events()
        self.chunk({"reasoning_content": "The question is about traffic; "})
        self.chunk({"reasoning_content": "page two names a figure."})
        for word in re.findall(r"\S+\s*", answer.removeprefix("SAY ")):
            self.chunk({"content": word})
            time.sleep(WORLD.behaviour.get("pause", 0.01))
        self.chunk({}, "stop")
        self.event("data: " + json.dumps({"choices": [], "usage": usage, "glyph": glyph}))
        self.event("data: [DONE]")

    def chunk(self, delta, finish=None):
        self.event("data: " + json.dumps({"object": "chat.completion.chunk", "choices": [
            {"index": 0, "delta": delta, "finish_reason": finish}]}))

    def render(self):
        style = self.json().get("style") or {}
        dpi = style.get("dpi", 72)
        width, height = PAGE[0] * dpi // 72, PAGE[1] * dpi // 72
        self.reply({"pages": 2, "width": width, "height": height, "png": base64.b64encode(png(width, height)).decode(),
                    "text_tokens": 2400, "image_tokens": width * height // 784, "compression": round(3.2 * (72 / dpi) ** 2, 2)})

    def conversations(self):
        data = [{key: value for key, value in entry.items() if key != "messages"} for entry in WORLD.conversations.values()]
        self.reply({"object": "list", "data": sorted(data, key=lambda entry: -entry["updated_at"])})

    def create(self):
        now = int(time.time())
        key = f"conv_{len(WORLD.conversations)}_{now}"
        WORLD.conversations[key] = dict(self.json(), id=key, created_at=now, updated_at=now)
        self.reply(WORLD.conversations[key], status=201)

    def conversation(self, key):
        self.reply(WORLD.conversations[key])

    def replace(self, key):
        WORLD.conversations[key].update(self.json(), updated_at=int(time.time()))
        self.reply(WORLD.conversations[key])

    def delete(self, key):
        del WORLD.conversations[key]
        self.reply({"id": key, "deleted": True})

    def models(self):
        self.reply({"object": "list", "data": [{"id": "glyph-mini", "object": "model"}]})

    def health(self):
        self.reply({"status": "ok"})

    def version(self):
        self.reply({"version": "0.0-mock"})


ID = r"([\w-]+)"
ROUTES = [
    ("POST", "/mock", Handler.behave),
    ("GET", "/health", Handler.health), ("GET", "/version", Handler.version), ("GET", "/v1/models", Handler.models),
    ("POST", "/v1/documents", Handler.upload), ("GET", "/v1/documents", Handler.documents),
    ("GET", f"/v1/documents/{ID}", Handler.document), ("DELETE", f"/v1/documents/{ID}", Handler.delete_document),
    ("GET", f"/v1/documents/{ID}/events", Handler.document_events), ("GET", f"/v1/documents/{ID}/pages/(\\d+)", Handler.page),
    ("GET", f"/v1/documents/{ID}/text", Handler.text), ("POST", f"/v1/documents/{ID}/find", Handler.find),
    ("POST", "/v1/chat/completions", Handler.chat), ("POST", "/v1/render", Handler.render),
    ("GET", "/v1/conversations", Handler.conversations), ("POST", "/v1/conversations", Handler.create),
    ("GET", f"/v1/conversations/{ID}", Handler.conversation), ("PUT", f"/v1/conversations/{ID}", Handler.replace),
    ("DELETE", f"/v1/conversations/{ID}", Handler.delete),
]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A browser that closes a connection is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def start(port=0):
    server = Server(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, name="mock", daemon=True).start()
    return server


if __name__ == "__main__":
    running = start(int(sys.argv[1]) if len(sys.argv) > 1 else 7861)
    print(f"http://127.0.0.1:{running.server_port}/", flush=True)
    threading.Event().wait()
