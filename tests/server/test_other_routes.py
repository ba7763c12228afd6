"""What bad input gets on every route but chat and completions, in forms, names and addresses, and below HTTP's own rules."""
import json
import re
import socket
import time
from http.client import HTTPConnection

import serving

STATUSES = {400, 404, 405, 408, 413, 415, 417, 422}
HUGE = "9" * 400
WRONG = ("null", "true", "7", "-1", HUGE, "1e999", "NaN", '"x"', "[]", "[[]]", "[7]", "{}", '{"x":1}')
# Address, a good body, and for each of its fields what is wrong in it besides WRONG; then what of WRONG it does take.
BODIES = [
    ("/tokenize", {"text": "x"}, {"text": ()}, {"text": {'"x"'}}),
    ("/detokenize", {"tokens": [1]}, {"tokens": ("[-1]", f"[{1 << 31}]", "[1.5]", '["a"]', "[null]")}, {"tokens": {"[]", "[7]"}}),
    ("/v1/render", {"text": "x", "page": 1}, {"text": (), "page": ("0", "10001", "1.5", "2"), "style": ()},
     {"text": {'"x"'}, "page": {"null"}, "style": {"null", "{}"}}),
    ("/v1/conversations", {"title": "x", "documents": [], "messages": []},
     {"title": (json.dumps("x" * 1025),), "documents": (json.dumps(["doc_x"] * 65), "[null]"), "messages": ("[{}]", '[{"role":7}]', '["x"]')},
     {"title": {'"x"', "null"}, "documents": {"[]", "null"}, "messages": {"[]", "null"}}),
    ("/v1/batches", {"input_file_id": "file-x", "endpoint": "/v1/completions", "completion_window": "24h"},
     {"input_file_id": ('"../x"',), "endpoint": ('"/v1/embeddings"',), "completion_window": ('"48h"',),
      "metadata": (json.dumps({f"k{i}": "v" for i in range(17)}), json.dumps({"k" * 65: "v"}), json.dumps({"k": "v" * 513}))},
     {}),
]
# A key of a style, and values it does not take.
STYLES = [("dpi", ("0", "-1", "100000", "1e999", '"many"', "null", "[]")), ("page-size", ('"0,0"', '"1,1"', '"x"', "7", '"99999,99999"')),
          ("font-size", ("0", "-1", "100000", '"x"')), ("line-height", ("-1", '"x"')), ("alignment", ('"MIDDLE"', "7")),
          ("font-color", ('"red"', "7", '"#12"')), ("margin-x", ("-1", "100000", '"x"')), ("horizontal-scale", ("0", "-1", "1e9")),
          ("auto-crop-width", ('"x"', "7")), ("newline-markup", ("7", "[]")), ("font-path", ('"/etc/passwd"',)), ("no-such-key", ("1",))]


class OtherRoutes(serving.UnharmedTest):
    def check(self, status, body, what, statuses=frozenset(STATUSES)):
        self.assertIn(status, statuses, f"{what}: {body}")
        error = json.loads(body)["error"]
        self.assertGreater(len(error["message"]), 10, what)
        self.assertNotIn("\n", error["message"])
        return error

    def test_every_field(self):
        for path, good, fields, taken in BODIES:
            for name, own in fields.items():
                for value in (*WRONG, *own):
                    if value in taken.get(name, ()):
                        continue
                    kept = [f'"{key}":{json.dumps(given)}' for key, given in good.items() if key != name]
                    body = "{" + ",".join([*kept, f'"{name}":{value}']) + "}"
                    if path == "/v1/batches" and value == "null" and name == "metadata":
                        continue
                    status, _, answer = self.call(path, body.encode())
                    self.check(status, answer, body[:200])
            for name in good:  # what is not there, where it must be
                if path != "/v1/conversations" and name != "page":
                    body = json.dumps({key: value for key, value in good.items() if key != name})
                    self.check(*self.call(path, body.encode())[::2], body)

    def test_every_style(self):
        for key, values in STYLES:
            for value in values:
                style = f'{{"{key}":{value}}}'
                self.check(*self.call("/v1/render", f'{{"text":"x","style":{style}}}'.encode())[::2], style)
                form = serving.form("a.txt", "A line.\n").replace(b"--B--", b'--B\r\nContent-Disposition: form-data; name="style"\r\n\r\n' + style.encode() + b"\r\n--B--")
                self.check(*self.call("/v1/documents", form, serving.FORM)[::2], style)
        self.assertEqual(json.loads(self.call("/v1/documents")[2])["data"], [])

    def test_quotes(self):
        document = self.upload("note.txt", "One line of a note.\n")
        for value in (*WRONG, json.dumps(["x"] * 65), json.dumps(["x" * 4097])):
            if value != "[]":
                self.check(*self.call(f"/v1/documents/{document}/find", f'{{"quotes":{value}}}'.encode())[::2], value)
        for number in ("0", "2", "-1", "x", "1.5", HUGE, "1%00", "%ff", ""):
            self.check(*self.call(f"/v1/documents/{document}/pages/{number}")[::2], number)

    def test_lists(self):
        for path, most in (("/v1/files", 10000), ("/v1/batches", 100)):
            for query in ("limit=0", f"limit={most + 1}", "limit=-1", "limit=x", "limit=", "limit=1.5", f"limit={HUGE}", "limit=%31%00"):
                self.check(*self.call(f"{path}?{query}")[::2], query)
            self.check(*self.call(f"{path}?after=none")[::2], "after", {400})
            self.assertEqual(self.call(f"{path}?limit={most}&order=asc")[0], 200)
        self.check(*self.call("/v1/files?order=up")[::2], "order")

    def test_forms(self):
        def part(name, content, extra=b""):
            return b'--B\r\nContent-Disposition: form-data; name="' + name + b'"' + extra + b"\r\n\r\n" + content + b"\r\n"
        file, end = part(b"file", b"A line.", b'; filename="a.txt"'), b"--B--\r\n"
        for path in ("/v1/documents", "/v1/files"):
            for body in (b"", b"--B", end, file, b"--C" + file[3:] + end, b"x" * 5000, part(b"x", b"y") + end, file.replace(b'name="file"', b"") + end,
                         b"--B\r\n" + b"h" * 5000 + b"\r\n\r\n" + end, part(b"file", b"", b'; filename="a.txt"') + end):
                self.check(*self.call(path, body or None, serving.FORM, method="POST")[::2], (path, body[:60]))
        for purpose in (b"", b"fine-tune", b"\xff", b"x" * 1000):
            self.check(*self.call("/v1/files", file + part(b"purpose", purpose) + end, serving.FORM)[::2], purpose)
        uploads = self.dir / "state" / "uploads"
        deadline = time.monotonic() + 60  # a refusal is sent before its file is gone
        while any(uploads.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertFalse(any(uploads.iterdir()))

    def test_types_of_bodies(self):
        """415: a body of another type, of another encoding, or packed."""
        form = serving.form("a.txt", "A line.\n")
        for path in ("/v1/documents", "/v1/files"):
            for kind in ("application/json", "text/plain", "application/pdf", "multipart/mixed; boundary=B"):
                self.assertEqual(self.check(*self.call(path, form, kind)[::2], kind)["code"], "unsupported_media_type")
            self.check(*self.call(path, form, "multipart/form-data")[::2], "no boundary", {400})
            self.check(*self.call(path, form, serving.FORM, headers={"Content-Encoding": "gzip"})[::2], "packed", {415})
        for path in ("/v1/chat/completions", "/v1/completions", "/v1/batches", "/v1/conversations", "/v1/render", "/tokenize", "/detokenize"):
            for kind in ("application/xml", "image/png", serving.FORM, "application/json; charset=utf-16"):
                self.check(*self.call(path, b"{}", kind)[::2], (path, kind), {415})
            self.check(*self.call(path, b"{}", headers={"Content-Encoding": "br"})[::2], path, {415})
        self.assertEqual(self.call("/tokenize", b'{"text":"x"}', "application/x-www-form-urlencoded")[0], 200)  # what curl -d says

    def test_names_that_are_no_utf8(self):
        for name in (b"\xff\xfe.txt", b"a\xc3(.txt", b"\xed\xa0\x80.txt", b"../../etc/passwd", b"a\x00b.txt", b"x" * 3000 + b".txt", b"..", b"/"):
            body = serving.form("NAME", "One line.\n").replace(b"NAME", name)
            status, _, answer = self.call("/v1/documents", body, serving.FORM)
            self.assertEqual(status, 202, (name, answer))
            shown = json.loads(answer.decode("utf-8"))["name"]
            self.assertFalse(re.search(r"[/\\\x00-\x1f]", shown), shown)
            self.assertLessEqual(len(shown.encode()), 255)
        for address in ("/v1/documents/%ff%fe", "/v1/documents/doc_%00", "/v1/files/%c3%28", "/v1/models/%ed%a0%80", "/%ff", "/v1/documents/%2e%2e%2f%2e%2e"):
            self.check(*self.call(address)[::2], address, {404})

    def test_every_address_takes_only_its_methods(self):
        for path, method in (("/health", "POST"), ("/metrics", "DELETE"), ("/v1/models", "POST"), ("/v1/chat/completions", "GET"), ("/tokenize", "PUT"),
                             ("/v1/documents", "PATCH"), ("/v1/documents/doc_x", "POST"), ("/v1/documents/doc_x/events", "POST"),
                             ("/v1/files/file-x", "PUT"), ("/v1/batches/batch_x", "DELETE"), ("/v1/conversations/conv_x", "POST")):
            status, headers, answer = self.call(path, method=method)
            self.check(status, answer, (path, method), {405})
            self.assertTrue(headers["Allow"])

    def raw(self, request):
        """Statuses of what comes back until the server closes; none when that is all it does."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            client.sendall(request)
            answer = b""
            try:
                while piece := client.recv(65536):
                    answer += piece
            except ConnectionResetError:
                pass
        return [int(status) for status in re.findall(rb"HTTP/1.1 (\d+) ", answer)]

    def test_what_is_hardly_http(self):
        head = b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\n"
        good = b'{"text":"x"}'
        for request in (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 1000, b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
                        head + b"Content-Length: -1\r\n\r\n", head + b"Content-Length: 1e3\r\n\r\n", head + b"Content-Length: " + HUGE.encode() + b"\r\n\r\n",
                        head + b"Content-Length: 12\r\nContent-Length: 13\r\n\r\n" + good, head + b"Transfer-Encoding: chunked\r\nContent-Length: 12\r\n\r\n" + good,
                        head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + good, head + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + good,
                        head + b"X: \x00\r\n\r\n", head + b"X: " + b"y" * 20000 + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n"):
            statuses = self.raw(request)
            self.assertLessEqual(len(statuses), 1, request[:80])
            for status in statuses:
                self.assertIn(status, STATUSES | {421, 431}, request[:80])
        # Two requests in one piece, and one in chunks, are fine.
        one, last = head + b"Content-Length: 12\r\n", b"Connection: close\r\n\r\n"
        self.assertEqual(self.raw(one + b"\r\n" + good + one + last + good), [200, 200])
        self.assertEqual(self.raw(head + b"Transfer-Encoding: chunked\r\n" + last + b"5\r\n" + good[:5] + b"\r\n7\r\n" + good[5:] + b"\r\n0\r\n\r\n"), [200])

    def test_streams_without_chunks_and_without_a_body(self):
        """HTTP/1.0 knows no chunks: there a stream ends with the connection. HEAD gets the head of a stream alone."""
        document = self.upload("note.txt", "One line of a note.\n")
        body = json.dumps({"stream": True, "max_tokens": 5, "messages": [{"role": "user", "content": "What?"}]}).encode()
        for request, last in ((f"GET /v1/documents/{document}/events HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n".encode(), b"}\n\n"),
                              (f"POST /v1/chat/completions HTTP/1.0\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body, b"data: [DONE]\n\n")):
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
                client.sendall(request)
                answer = b""
                while piece := client.recv(65536):
                    answer += piece
            head, stream = answer.split(b"\r\n\r\n", 1)
            self.assertIn(b"200 OK", head)
            self.assertNotIn(b"chunked", head)
            self.assertIn(b"Connection: close", head)
            self.assertTrue(stream.endswith(last), stream)
            self.assertTrue(re.match(rb"(event: progress\n)?data: \{", stream), stream[:80])
        head = f"HEAD /v1/documents/{document}/events HTTP/1.1\r\nHost: localhost\r\n".encode()
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            client.sendall(head + b"\r\n" + head.replace(b"HEAD", b"GET").replace(f"{document}/events".encode(), b"doc_none") + b"Connection: close\r\n\r\n")
            answer = b""
            while piece := client.recv(65536):
                answer += piece
        self.assertRegex(answer, rb"\AHTTP/1.1 200 OK\r\n([^\r]+\r\n)+\r\nHTTP/1.1 404 ")

    def test_an_answer_beside_all_that_is_the_same(self):
        body = json.dumps({"stream": True, "ignore_eos": True, "max_tokens": 400, "messages": [{"role": "user", "content": "Tell me everything."}]})

        def ask():
            client = HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.addCleanup(client.close)
            client.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
            return client.getresponse()

        def pieces(answer):
            events = [json.loads(line[6:]) for line in answer.read().splitlines() if line.startswith(b"data: {")]
            return "".join(choice["delta"].get("content", "") for event in events for choice in event["choices"])
        alone = pieces(ask())
        beside = ask()
        self.assertIn(b"data: ", beside.readline())
        for _ in range(20):
            self.check(*self.call("/v1/chat/completions", b'{"messages":[{"role":"user","content":"\xff"}]}')[::2], "utf-8", {400})
            self.check(*self.call("/v1/documents", b"--B--", serving.FORM)[::2], "form", {400})
            self.call("/v1/documents", serving.form("a.pdf", "%PDF-1.7 damaged"), serving.FORM)
            self.raw(b"\x00\r\n\r\n")
        self.assertEqual(pieces(beside), alone)
        self.assertGreater(len(alone), 100)

    def test_more_than_is_accepted(self):
        """Refused by its length alone, or as soon as there is too much of it."""
        for path, most in (("/tokenize", 8 << 20), ("/v1/chat/completions", 96 << 20), ("/v1/documents", 257 << 20), ("/v1/documents/doc_x/text", 0)):
            method, kind = ("GET", "") if most == 0 else ("POST", "multipart/form-data; boundary=B" if "documents" in path else "application/json")
            head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
            self.assertEqual(self.raw(f"{head}Content-Length: {most + 1}\r\n\r\n".encode()), [413], path)
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            client.sendall(b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 9)
            self.assertIn(b" 413 ", client.recv(4096))
