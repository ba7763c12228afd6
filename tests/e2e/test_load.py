"""glyph bench load: against a server of its own, and against one that is there."""
import json
import re
import socket
import threading
import unittest

from harness import GlyphTest


class Load(GlyphTest):
    def load(self, *args, **kwargs):
        return self.run_glyph("bench", "load", "--clients", "3", "--pages", "1", "--answer-tokens", "4", "--threads", "2", *args, **kwargs)

    def start_server(self, *args):
        process = self.start("serve", "--port", "0", "--state", self.dir / "state", *args)
        url = next(found[0] for found in (re.search(rb"http://127\.0\.0\.1:\d+/", line) for line in process.stderr) if found).decode()
        reader = threading.Thread(target=process.stderr.read)
        reader.start()

        def end():
            process.terminate()
            self.assertEqual(process.wait(60), 0)
            reader.join()
            process.stdout.close()
            process.stderr.close()
        self.addCleanup(end)
        return url

    def check(self, report, alone, together):
        rows = report["load"]
        self.assertEqual([(row["clients"], row["answered"], row["failed"]) for row in rows], [("one after another", alone, 0), ("3 at once", together, 0)])
        for row in rows:
            self.assertAlmostEqual(row["answers_per_minute"], 60 * row["answered"] / row["seconds"], delta=0.02 * row["answers_per_minute"] + 0.1)
            self.assertAlmostEqual(row["tokens_per_s"], 4 * row["answered"] / row["seconds"], delta=0.02 * row["tokens_per_s"] + 0.1)
            self.assertGreater(row["first_token_ms"], 0)
            self.assertGreaterEqual(row["first_token_p95_ms"], row["first_token_ms"])
        self.assertAlmostEqual(report["ratio"], rows[1]["answers_per_minute"] / rows[0]["answers_per_minute"], delta=0.05 * report["ratio"] + 0.01)

    def test_a_server_of_its_own(self):
        result = self.load("--json")
        self.assert_ok(result)
        self.assertEqual(result.json["server"], "its own")
        self.check(result.json, 3, 12)
        self.assertEqual(list(self.tmp.iterdir()), [])

    def test_a_server_that_is_there(self):
        (self.dir / "keys").write_text("0123456789abcdef0123\n")
        url = self.start_server("--api-keys", self.dir / "keys")
        result = self.load("--url", url, "--key-file", "keys", "--documents", "2", "--questions", "7", "--json-file", "out.json")
        self.assert_ok(result)
        report = json.loads((self.dir / "out.json").read_text())
        self.check(report, 3, 7)
        self.assertEqual((report["documents"], report["pages"]), (2, 1))
        self.assertIn("ratio", result.out)
        refused = self.load("--url", url)
        self.assertEqual((refused.code, refused.out), (3, ""))
        self.assertIn("status 401", refused.err)

    def test_questions_that_fail_are_counted(self):
        url = self.start_server("--requests-per-minute", "12")
        result = self.load("--url", url, "--questions", "20", "--json")
        self.assert_ok(result)
        together = result.json["load"][1]
        self.assertEqual(together["answered"] + together["failed"], 20)
        self.assertGreater(together["failed"], 0)
        self.assertIn("429", together["problem"])

    def test_what_it_cannot_ask(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            result = self.load("--url", f"http://127.0.0.1:{closed.getsockname()[1]}/")
        self.assertEqual((result.code, result.out), (1, ""))
        self.assertIn("cannot be reached", result.err)
        self.assertEqual(self.load("--url", "ftp://somewhere/").code, 2)
        self.assertEqual(self.load("--url", "https://localhost/").code, 2)
        self.assertEqual(self.load("--key-file", "nowhere").code, 3)


if __name__ == "__main__":
    unittest.main()
