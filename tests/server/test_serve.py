"""glyph serve as a process: what it prints, what survives kill -9, how it ends."""
import json
import re
import signal
import unittest
import urllib.error
import urllib.request

import harness

FORM = "multipart/form-data; boundary=B"
TEXT = "".join(f"This is line {i} of a document about nothing in particular.\n" for i in range(150))


def form(name, content):
    return f'--B\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n{content}\r\n--B--\r\n'.encode()


class Serve(harness.GlyphTest):
    def serve(self, *args):
        process = self.start("serve", "--port", "0", "--state", self.dir / "state", *args)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        for line in process.stderr:
            found = re.search(rb"http://127\.0\.0\.1:(\d+)/", line)
            if found:
                self.base_url = f"http://127.0.0.1:{int(found[1])}"
                return process
        self.fail("the server did not say where it answers")

    def call(self, path, body=None, kind="application/json", method=None):
        request = urllib.request.Request(self.base_url + path, body, {"Content-Type": kind} if body else {}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def ask(self, document):
        body = {"messages": [{"role": "user", "content": "What is it about?"}], "documents": [document], "max_tokens": 10}
        return json.loads(self.call("/v1/chat/completions", json.dumps(body).encode()))

    def wait_until_ready(self, document):
        events = self.call(f"/v1/documents/{document}/events").decode()
        self.assertIn('"state":"ready"', events)

    def test_documents_survive_kill_9(self):
        process = self.serve()
        document = json.loads(self.call("/v1/documents", form("a.txt", TEXT), FORM))["id"]
        self.wait_until_ready(document)
        before = self.ask(document)
        self.assertGreater(before["usage"]["prompt_tokens_details"]["cached_tokens"], 0)
        process.kill()
        process.wait()
        (self.dir / "state" / "documents" / "doc_torn").mkdir()  # what a crash in the middle of an upload leaves
        self.serve()
        self.wait_until_ready(document)
        self.assertEqual([d["id"] for d in json.loads(self.call("/v1/documents"))["data"]], [document])
        after = self.ask(document)
        self.assertEqual(before["choices"][0]["message"], after["choices"][0]["message"])

    def test_sigterm_ends_it_cleanly(self):
        process = self.serve()
        self.call("/health")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=20), 0)

    def test_profile_batch_caches_nothing(self):
        self.serve("--profile", "batch")
        document = json.loads(self.call("/v1/documents", form("a.txt", TEXT), FORM))["id"]
        self.wait_until_ready(document)
        self.ask(document)
        self.assertEqual(self.ask(document)["usage"]["prompt_tokens_details"]["cached_tokens"], 0)

    def test_errors_are_openais(self):
        self.serve()
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.call("/v1/chat/completions", b'{"messages":[]}')
        self.assertEqual(caught.exception.code, 400)
        error = json.loads(caught.exception.read())["error"]
        self.assertEqual((error["type"], error["param"]), ("invalid_request_error", "messages"))
        caught.exception.close()

    def test_arguments_that_cannot_be(self):
        for args, words in (
            (["--host", "0.0.0.0"], "other hosts reach 0.0.0.0"),
            (["--host", "nowhere", "--allow-remote"], "not an IP address"),
            (["--profile", "fast"], "none of single, batch, api"),
            (["--port", "70000"], "65535"),
            (["--api-keys", "missing.txt"], "missing.txt"),
        ):
            result = self.run_glyph("serve", "--state", self.dir / "state", *args, timeout=60)
            self.assertEqual(result.code, 2, result)
            self.assertIn(words, result.err)


if __name__ == "__main__":
    unittest.main()
