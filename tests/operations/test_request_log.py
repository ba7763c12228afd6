"""One JSON line a request, with what an operator needs and nothing of what users wrote."""
import json
import socket
import time
import unittest

import serving

SECRET = "xylophone-quartz-7731"
KEY = "key-" + "k" * 20


class RequestLog(serving.ServeTest):
    def requests(self, text):
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def say_secrets(self):
        """The secret as prompt, system prompt, document, file name, path, query, header, conversation and in what cannot be parsed."""
        key = {"Authorization": f"Bearer {KEY}"}
        calls = [self.ask(f"What is {SECRET}?", headers=key),
                 self.ask(SECRET, headers=key, stream=True),
                 self.ask("x", headers=key, model=SECRET),
                 self.ask("x", headers=key, documents=[SECRET]),
                 self.ask("x", headers=key, stop=[SECRET], temperature=SECRET),
                 self.ask("no key"),
                 self.ask("x", headers={"Authorization": f"Bearer {SECRET}"})]
        upload = serving.form(f"{SECRET}.txt", f"The word is {SECRET}.\n" * 20)
        calls.append(self.call("/v1/documents", upload, serving.FORM, headers=key))
        document = json.loads(calls[-1][2])["id"]
        calls.append(self.call("/v1/documents", serving.form(f"{SECRET}.pdf", f"%PDF-1.4 {SECRET}"), serving.FORM, headers=key))
        damaged = json.loads(calls[-1][2])["id"]
        calls.append(self.call(f"/v1/documents/{damaged}/events", headers=key))
        self.assertIn(b"failed", calls[-1][2])
        for path in (f"/v1/documents/{document}/events", f"/v1/documents/{document}/text", f"/v1/documents/{document}/pages/1",
                     f"/v1/documents/{SECRET}", f"/{SECRET}", f"/v1/models?q={SECRET}", f"/v1/documents/{document}/{SECRET}"):
            calls.append(self.call(path, headers=key))
        calls.append(self.call(f"/v1/documents/{document}/find", json.dumps({"quotes": [SECRET]}).encode(), headers=key))
        calls.append(self.call("/v1/conversations", json.dumps({"title": SECRET, "messages": []}).encode(), headers=key))
        calls.append(self.call("/v1/render", json.dumps({"text": SECRET}).encode(), headers=key))
        calls.append(self.call("/tokenize", json.dumps({"text": SECRET}).encode(), headers=key))
        calls.append(self.call("/v1/chat/completions", f'{{"{SECRET}'.encode(), headers=key))
        calls.append(self.call("/v1/chat/completions", b"{}", headers=key, method=SECRET.split("-")[0].upper()))
        return calls

    def test_a_line_each_and_no_secret(self):
        keys = self.write("keys", KEY + "\n")
        process = self.serve("--api-keys", keys, "--log-level", "debug", "--log-file", self.dir / "requests.jsonl")
        calls = self.say_secrets()
        self.end(process)
        logged = (self.dir / "requests.jsonl").read_text()
        for text in (logged, "".join(self.log)):
            for secret in (SECRET, SECRET.split("-")[0], KEY):
                self.assertNotIn(secret.lower(), text.lower())
        lines = self.requests(logged)
        self.assertEqual(sorted(line["request"] for line in lines), sorted(headers["X-Request-Id"] for _, headers, _ in calls))
        by_id = {line["request"]: line for line in lines}
        for status, headers, _ in calls:
            self.assertEqual(by_id[headers["X-Request-Id"]]["status"], status)
        self.assertEqual(lines[0]["route"], "/v1/chat/completions")
        self.assertEqual((lines[0]["client"], lines[0]["completion_tokens"], lines[0]["finish_reasons"]), ("127.0.0.1", 8, ["length"]))
        self.assertGreater(lines[0]["prompt_tokens"], 20)
        self.assertGreater(lines[0]["ms"], lines[0]["ttft_ms"])
        routes = {line["route"] for line in lines}
        self.assertLessEqual({"/v1/documents/{id}/pages/{n}", "/v1/documents/{id}", "other"}, routes)

    def test_stderr_is_where_lines_go_without_a_file(self):
        process = self.serve()
        _, headers, _ = self.call("/health")
        self.end(process)
        self.assertEqual([line["request"] for line in self.requests("".join(self.log))], [headers["X-Request-Id"]])

    def test_a_quiet_server_is_quiet(self):
        process = self.start("serve", "--port", "7963", "--state", self.dir / "state", "--log-level", "warning")
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.base_url = "http://127.0.0.1:7963"
        for _ in range(100):
            try:
                self.assertEqual(self.call("/ready")[0], 200)
                break
            except OSError:
                time.sleep(0.1)
        process.terminate()
        self.assertEqual(process.wait(30), 0)
        self.assertEqual(self.requests(process.stderr.read().decode()), [])

    def test_a_client_that_leaves_is_499(self):
        process = self.serve("--log-file", self.dir / "requests.jsonl")
        question = f"Question {self.long_questions(1)[0]}"
        statuses = []
        while 499 not in statuses and len(statuses) < 5:   # a busy machine may write the whole answer before this program runs again
            statuses.append(self.status_of_a_client_that_leaves(question))
        self.assertEqual(statuses[-1], 499, statuses)
        self.end(process)

    def status_of_a_client_that_leaves(self, question):
        """The status that the log gives the request; lines of other requests may come beside it."""
        host, port = self.base_url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            body = json.dumps({"messages": [{"role": "user", "content": question}], "stream": True, "n": 4, **serving.LONG}).encode()
            client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(body) + body)
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(1) or self.fail(f"the server left after {head}")
            self.assertIn(b"200 OK", head)
        request = head.split(b"X-Request-Id: ")[1].split(b"\r\n")[0].decode()
        end = time.monotonic() + 30
        while time.monotonic() < end:
            for line in self.requests((self.dir / "requests.jsonl").read_text()):
                if line["request"] == request:
                    return line["status"]
            time.sleep(0.05)
        self.fail(f"no line of {request}")

    def test_a_file_that_cannot_be_is_a_usage_error(self):
        result = self.run_glyph("serve", "--port", "0", "--state", self.dir / "state", "--log-file", self.dir / "no" / "such.log")
        self.assert_one_sentence(result, 2, "no/such.log")


if __name__ == "__main__":
    unittest.main()
