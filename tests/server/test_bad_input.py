"""What bad input gets: a status from 400 on with a sentence, never a 500, never another request's failure."""
import json
import resource
import socket
import threading
import time

import serving

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
STATUSES = {400, 401, 404, 408, 413, 415, 422, 429}
HUGE = "9" * 400
# A field, its least and its greatest value, and one step outside of them.
NUMBERS = [("temperature", 0, 2, 0.1), ("top_p", 0, 1, 0.1), ("top_k", -1, 1000000, 1), ("repetition_penalty", 0.01, 100, 0.01),
           ("presence_penalty", -2, 2, 0.1), ("frequency_penalty", -2, 2, 0.1), ("n", 1, 4, 1), ("max_tokens", 1, 1 << 20, 1),
           ("max_completion_tokens", 1, 1 << 20, 1)]
WHOLE = {"top_k", "n", "max_tokens", "max_completion_tokens", "seed", "logprobs", "top_logprobs"}


def fields_out_of_range():
    for name, least, most, step in NUMBERS:
        yield from ((name, str(value)) for value in (least - step, most + step, HUGE, "-" + HUGE, "1e999", "NaN", "Infinity"))
        yield from ((name, value) for value in ('"1"', "true", "[]", "{}"))
    yield from ((name, "1.5") for name in WHOLE - {"logprobs", "top_logprobs"})
    yield from (("seed", value) for value in (HUGE, '"x"', "NaN", str(1 << 64)))
    yield from (("stop", value) for value in ("7", "[7]", '""', '["a","b","c","d","e"]', json.dumps("x" * 2000), "{}", "NaN"))
    yield from (("stop_token_ids", value) for value in ("7", "[-1]", '["a"]', f"[{1 << 31}]", "[" + "1," * 64 + "1]", "NaN"))
    yield from (("stream", value) for value in ("1", '"yes"', "[]", "NaN"))
    yield from (("ignore_eos", value) for value in ("1", '"yes"', "[]", "NaN", 'true,"response_format":{"type":"json_object"}'))
    yield from (("stream_options", value) for value in ("true", '{"include_usage":1}', "[]"))
    yield from (("model", value) for value in ("7", "[]", json.dumps("x" * 2000), '"gpt-9"', "NaN"))
    yield from (("response_format", value) for value in ("7", '"json_object"', "{}", '{"type":"xml"}', '{"type":"json_schema"}',
                                                         '{"type":"json_schema","json_schema":{"schema":{"oneOf":[]}}}'))
    yield from (("logit_bias", value) for value in ('{"7":5}', "7", "[1]", "NaN"))
    yield from (("min_p", value) for value in ("0.5", "-0.1", "1.1", '"x"', "NaN"))
    yield from (("modalities", value) for value in ('["text","audio"]', '"audio"', "[7]", "NaN"))
    yield from (("audio", '{"voice":"alloy"}'), ("web_search_options", '{"user_location":null}'))


CHAT_FIELDS = [("logprobs", "1"), ("logprobs", "NaN"), ("top_logprobs", "-1"), ("top_logprobs", "21"), ("top_logprobs", "5"), ("tools", "[{}]"),
               ("documents", "7"), ("documents", "[7]"), ("documents", '["doc_none"]'), ("documents", '["file-none"]'),
               ("documents", json.dumps(["doc_x"] * 65)), ("cache", "1"), ("messages", "7"), ("messages", "[]"), ("messages", "NaN"), ("messages", "null"),
               ("messages", '[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://127.0.0.1/x.png"}}]}]'),
               ("messages", '[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/x.png"}}]}]'),
               ("messages", '[{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERi0="}},{"type":"text","text":"x"}]}]'),
               ("messages", '[{"role":"user","content":[{"type":"file","file":{"file_data":"?"}},{"type":"text","text":"x"}]}]')]
TEXT_FIELDS = [("logprobs", "-1"), ("logprobs", "21"), ("logprobs", "true"), ("prompt", "7"), ("prompt", "null"), ("prompt", "[]"), ("prompt", '["a","b"]'),
               ("prompt", "[-1]"), ("prompt", f"[{1 << 30}]"), ("prompt", "NaN"), ("echo", "true"), ("suffix", '"x"'), ("best_of", "2"), ("best_of", "0")]


# An answer that a random model cannot end early: 20,000 tokens are laid down by its form.
TOLD = {f"part {i}": {"const": "x" * 4000} for i in range(5)}
LONG = {"stream": True, "max_tokens": 20000, "messages": [{"role": "user", "content": "Tell me everything."}],
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object", "properties": TOLD, "required": list(TOLD)}}}}


class BadInput(serving.UnharmedTest):
    def check(self, status, body, what):
        self.assertIn(status, STATUSES, f"{what}: {body}")
        error = json.loads(body)["error"]
        self.assertGreater(len(error["message"]), 10, what)
        self.assertNotIn("\n", error["message"])
        return error

    def connect(self, receive_buffer=None):
        client = socket.socket()
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(30)
        client.connect(("127.0.0.1", self.port))
        self.addCleanup(client.close)
        return client

    def post(self, client, body, path=CHAT, length=None, kind="application/json"):
        client.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {length or len(body)}\r\n\r\n".encode() + body)

    def eventually(self, condition):
        until = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)

    def idle(self):
        return self.metric("vllm:num_requests_running") == 0 and self.metric("vllm:num_requests_waiting") == 0

    def test_every_parameter(self):
        for path, given, own in ((CHAT, '"messages":[{"role":"user","content":"x"}]', CHAT_FIELDS), (TEXT, '"prompt":"x"', TEXT_FIELDS)):
            for name, value in [*fields_out_of_range(), *own]:
                kept = "" if name in ("messages", "prompt") else given + ","
                body = f'{{{kept}"{name}":{value}}}'.encode()
                status, _, answer = self.call(path, body)
                error = self.check(status, answer, body[:200])
                if value not in ("NaN", "Infinity") and status == 400 and error["param"]:
                    self.assertIn(name, error["param"] + error["message"])
            for name, *_ in NUMBERS:  # null is "not given"
                few = "max_completion_tokens" if name == "max_tokens" else "max_tokens"
                self.assertEqual(self.call(path, f'{{{given},"{few}":2,"{name}":null}}'.encode())[0], 200, name)

    def test_limits_themselves_are_taken(self):
        one_letter = {"response_format": {"type": "json_schema", "json_schema": {"schema": {"enum": [1, 2]}}}}  # ends by itself
        for name, least, most, _ in NUMBERS:
            for value in (least, most):
                body = {"messages": [{"role": "user", "content": "x"}], **one_letter, name: value}
                status, _, answer = self.call(CHAT, json.dumps(body).encode())
                self.assertEqual(status, 200, (name, value, answer))

    def test_broken_bodies(self):
        for path in (CHAT, TEXT, "/v1/batches", "/v1/render", "/tokenize", "/v1/conversations"):
            for body in (b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"messages":[{"role":"user","content":"\xff"}]}', b'{"prompt":"\xc3\x28"}',
                         b'{"text":"\xed\xa0\x80"}', b'{"title":"\xf5"}', b'{"x":' + b"[" * 100000, b'{"messages":[{"role":"user","content":"\\ud800"}]}'):
                status, _, answer = self.call(path, body or None, method="POST")
                self.check(status, answer, (path, body[:60]))

    def test_a_body_that_stops_half_way(self):
        for path, begin, kind in ((CHAT, b'{"messages":[', "application/json"), (TEXT, b'{"prompt":', "application/json"),
                                  ("/v1/files", b"--B\r\n", serving.FORM), ("/v1/documents", b"--B\r\n", serving.FORM)):
            client = self.connect()
            self.post(client, begin, path, 1000, kind)
            client.shutdown(socket.SHUT_WR)
            client.close()
        self.eventually(lambda: self.metric("glyph_connections") <= 1 and not any((self.dir / "state" / "uploads").iterdir()))

    def test_4000_slow_headers(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 4200:
            self.skipTest(f"only {hard} files may be open")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.end(self.process)
        self.process = self.serve()  # with the higher limit
        self.port = int(self.base_url.rsplit(":", 1)[1])
        clients = []
        for _ in range(4000):
            clients.append(self.connect())
            clients[-1].sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        self.assertEqual(self.ask("Anybody there?")[0], 200)
        self.assertGreater(self.metric("glyph_connections"), 3000)
        for client in clients:
            client.close()
        self.eventually(lambda: self.metric("glyph_connections") <= 2)

    def test_more_connections_than_files_may_be_open(self):
        """Who is connected is served, an upload is put off with a sentence, and all is well when the others are gone."""
        self.end(self.process)
        self.process = self.serve(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))
        self.port = int(self.base_url.rsplit(":", 1)[1])
        clients = [self.connect() for _ in range(150)]
        for client in clients:
            client.sendall(b"GET /health HTTP/1.1\r\n")
        time.sleep(0.5)
        clients[0].sendall(b"Host: localhost\r\n\r\n")
        self.assertIn(b" 200 OK", clients[0].recv(4096))
        self.post(clients[0], serving.form("note.txt", "One line of a note.\n"), "/v1/documents", kind=serving.FORM)
        answer = clients[0].recv(4096).decode()
        self.assertIn("HTTP/1.1 429 ", answer)
        self.assertIn("Retry-After: 1", answer)
        for client in clients:
            client.close()
        self.upload("note.txt", "One line of a note.\n")

    def test_a_reader_that_stops_reading(self):
        client = self.connect(receive_buffer=4096)
        body = json.dumps({"stream": True, "n": 4, "max_tokens": 8000, "temperature": 1, "ignore_eos": True, "logprobs": True, "top_logprobs": 20,
                           "messages": [{"role": "user", "content": "Tell me everything."}]}).encode()
        self.post(client, body)
        self.assertEqual(self.ask("And me?")[0], 200)
        self.eventually(self.idle)

    def test_a_client_that_goes_away(self):
        """While its question waits in the queue, while its prompt is read, while its answer is written."""
        self.end(self.process)
        self.process = self.serve("--profile", "single")
        self.port = int(self.base_url.rsplit(":", 1)[1])
        writing = self.connect()
        self.post(writing, json.dumps(LONG).encode())
        self.assertIn(b"200 OK", writing.recv(4096))
        waiting = self.connect()
        self.post(waiting, json.dumps(LONG).encode())
        self.eventually(lambda: self.metric("vllm:num_requests_waiting") >= 1)
        waiting.close()
        self.eventually(lambda: self.metric("vllm:num_requests_waiting") == 0)
        writing.close()
        self.eventually(self.idle)
        reading = self.connect()
        words = "".join(f"Word {i} of a prompt that is read for a while. " for i in range(600))
        self.post(reading, json.dumps({**LONG, "messages": [{"role": "user", "content": words}]}).encode())
        reading.close()
        self.eventually(self.idle)
        self.assertEqual(self.metric("vllm:kv_cache_usage_perc"), 0)

    def test_a_disk_that_fills(self):
        """No file may grow beyond 200,000 bytes: what does not fit is refused with a sentence, what fits goes on."""
        self.end(self.process)
        self.process = self.serve("--log-file", "/dev/null", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)))
        self.port = int(self.base_url.rsplit(":", 1)[1])
        kept = self.upload("kept.txt", "One line of a note.\n" * 20)
        large = "Another line of a note.\n" * 20_000
        for path in ("/v1/documents", "/v1/files"):
            status, _, answer = self.call(path, serving.form("large.txt", large), serving.FORM)
            self.assertIn("no room", self.check(status, answer, path)["message"])
        conversation = {"title": "x", "documents": [], "messages": [{"role": "user", "content": large}]}
        status, _, answer = self.call("/v1/conversations", json.dumps(conversation).encode())
        self.assertIn("no room", self.check(status, answer, "conversation")["message"])
        self.assertFalse(any((self.dir / "state" / "uploads").iterdir()))
        self.assertEqual([entry["id"] for entry in json.loads(self.call("/v1/documents")[2])["data"]], [kept])
        self.assertEqual(self.ask("What?", documents=[kept])[0], 200)
        self.assertEqual(self.call("/v1/conversations", json.dumps({**conversation, "messages": []}).encode())[0], 201)

    def test_a_key_that_is_none(self):
        self.end(self.process)
        keys = self.write("keys", "sk-0123456789abcdef\n")
        keys.chmod(0o600)
        self.process = self.serve("--api-keys", keys)
        for headers in ({}, {"Authorization": "Bearer sk-0123456789abcdeX"}, {"Authorization": "Bearer "}, {"Authorization": "Basic c2s6"},
                        {"Authorization": "Bearer " + "x" * 8000}):
            for path in (CHAT, "/v1/documents", "/metrics", "/v1/nothing"):
                status, _, answer = self.call(path, headers=headers)
                self.assertEqual(status, 401)
                self.assertEqual(self.check(status, answer, (path, headers))["type"], "authentication_error")
        self.end(self.process)
        self.process = self.serve()  # for tearDown

    def test_two_uploads_of_one_file_at_once(self):
        ids = []
        body = serving.form("note.txt", "One line of a note.\n" * 500)
        threads = [threading.Thread(target=lambda: ids.append(json.loads(self.call("/v1/documents", body, serving.FORM)[2])["id"])) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(ids), len(set(ids))), (6, 1))
        self.assertEqual(len(json.loads(self.call("/v1/documents")[2])["data"]), 1)

    def test_a_document_that_is_deleted_while_it_is_read(self):
        for i in range(4):
            body = serving.form("note.txt", "".join(f"Line {k} of round {i} of a note.\n" for k in range(3000)))
            document = json.loads(self.call("/v1/documents", body, serving.FORM)[2])["id"]
            time.sleep(0.05 * i)
            self.assertEqual(self.call(f"/v1/documents/{document}", method="DELETE")[0], 200)
            status, _, answer = self.ask("What?", documents=[document])
            self.assertEqual(self.check(status, answer, document)["type"], "not_found_error")
        self.eventually(self.idle)

    def test_too_many_requests(self):
        self.end(self.process)
        self.process = self.serve("--requests-per-minute", "600", "--requests-at-once", "1")
        self.port = int(self.base_url.rsplit(":", 1)[1])
        writing = self.connect()
        self.post(writing, json.dumps(LONG).encode())
        self.assertIn(b"200 OK", writing.recv(4096))
        status, headers, body = self.ask("Me too?")
        self.assertEqual((status, headers["Retry-After"]), (429, "1"))
        self.assertEqual(self.check(status, body, "at once")["type"], "rate_limit_error")
        writing.close()
        self.eventually(lambda: self.ask("Now?")[0] == 200)
        self.eventually(lambda: self.ask("And now?")[0] == 200)
