"""A running `glyph serve` for a test: its address, its log, requests to it."""
import json
import re
import threading
import time
import urllib.error
import urllib.request

import harness

FORM = "multipart/form-data; boundary=B"
LONG = {"max_tokens": 1500, "temperature": 0, "repetition_penalty": 1}  # with a question of long_questions()


def form(name, content):
    return f'--B\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n{content}\r\n--B--\r\n'.encode()


class ServeTest(harness.GlyphTest):
    def serve(self, *args, **kwargs):
        """Starts a server and waits until it says where it answers; self.log grows with what it writes to stderr."""
        process = self.start("serve", "--port", "0", "--state", self.dir / "state", *args, **kwargs)
        self.log = []
        started = threading.Event()

        def read():
            for line in process.stderr:
                self.log.append(line.decode())
                if found := re.search(rb"http://127\.0\.0\.1:(\d+)/", line):
                    self.base_url = f"http://127.0.0.1:{int(found[1])}"
                    started.set()
            started.set()
        self.reader = threading.Thread(target=read)
        self.reader.start()
        self.addCleanup(self.end, process)
        started.wait(60)
        self.assertIsNone(process.poll(), self.log)
        return process

    def end(self, process):
        """Ends it in order, and waits for all it had to say."""
        process.terminate()
        self.code = process.wait(60)
        self.reader.join()
        process.stdout.close()
        process.stderr.close()

    def call(self, path, body=None, kind="application/json", method=None, headers=None):
        """(status, headers, body)"""
        request = urllib.request.Request(self.base_url + path, body, {**({"Content-Type": kind} if body else {}), **(headers or {})}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def ask(self, words, **fields):
        headers = fields.pop("headers", None)
        body = {"messages": [{"role": "user", "content": words}], "max_tokens": 8, **fields}
        return self.call("/v1/chat/completions", json.dumps(body).encode(), headers=headers)

    def upload(self, name, text):
        document = json.loads(self.call("/v1/documents", form(name, text), FORM)[2])["id"]
        self.assertIn(b'"state":"ready"', self.call(f"/v1/documents/{document}/events")[2])
        return document

    def metric(self, name):
        text = self.call("/metrics")[2].decode()
        return float(re.search(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)[1])

    def wait_until(self, condition, seconds=20):
        """For what the engine does after it has answered."""
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not happen")
            time.sleep(0.05)

    def long_answer(self, number):
        """The likeliest token each time: a random model falls into a loop, or ends at once."""
        answer = self.ask(f"Question {number}", **LONG)
        return json.loads(answer[2])["usage"]["completion_tokens"]

    def long_questions(self, count):
        numbers = []
        for number in range(200):
            if self.long_answer(number) == 1500:
                numbers.append(number)
            if len(numbers) == count:
                return numbers
        self.fail("the model writes no long answers")


class UnharmedTest(ServeTest):
    """Each test has a server, self.port, that must answer as before whatever the test sent it."""

    def setUp(self):
        super().setUp()
        self.process = self.serve()
        self.port = int(self.base_url.rsplit(":", 1)[1])

    def tearDown(self):
        self.assertIsNone(self.process.poll(), self.log)
        status, _, body = self.ask("Still there?", max_tokens=3)
        self.assertEqual(status, 200, body)
