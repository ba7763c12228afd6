"""glyph batch: good and bad lines, and going on after an interruption."""
import json
import os
import signal
import time
import unittest

from harness import GlyphTest, text_of_lines


class Batch(GlyphTest):
    def questions(self, count, pages=1):
        self.write("note.txt", text_of_lines(70 * pages))
        lines = [json.dumps({"id": f"q{i}", "files": ["note.txt"], "question": f"Question {i}?", "max_tokens": 2}) for i in range(count)]
        self.write("in.jsonl", "\n".join(lines) + "\n")

    def answers(self):
        return [json.loads(line) for line in (self.dir / "out.jsonl").read_text().splitlines()]

    def test_answers_each_line(self):
        self.questions(3)
        self.assert_ok(self.run_glyph("batch", "in.jsonl", "-o", "out.jsonl"))
        answers = self.answers()
        self.assertEqual([a["id"] for a in answers], ["q0", "q1", "q2"])
        for answer in answers:
            self.assertEqual(answer["usage"]["completion_tokens"], 2)
            self.assertLessEqual({"answer", "finish_reason", "pages", "usage", "compression", "timings_ms"}, set(answer))

    def test_a_bad_line_does_not_stop_the_rest(self):
        self.write("note.txt", "text")
        good = {"files": ["note.txt"], "question": "Q?", "max_tokens": 1}
        self.write("in.jsonl", "\n".join([
            json.dumps({"id": 1, **good}),
            "{not json",
            "",
            json.dumps({"id": 2, "files": ["nowhere.txt"], "question": "Q?"}),
            json.dumps({"id": 3, "files": ["note.txt"]}),
            json.dumps({"id": 4, **good}),
        ]))
        result = self.run_glyph("batch", "in.jsonl", "-o", "out.jsonl")
        self.assert_ok(result)
        self.assertIn("2 answered, 3 failed", result.err)
        answers = self.answers()
        self.assertEqual([a["id"] for a in answers], [1, None, 2, 3, 4])
        self.assertEqual(["error" in a for a in answers], [False, True, True, True, False])
        self.assertEqual(answers[1]["line"], 2)
        self.assertIn("nowhere.txt", answers[2]["error"])

    def test_continues_after_an_interruption(self):
        self.questions(40, pages=8)
        process = self.start("batch", "in.jsonl", "-o", "out.jsonl")
        path = self.dir / "out.jsonl"
        end = time.monotonic() + 60
        while (not path.exists() or path.read_bytes().count(b"\n") < 3) and time.monotonic() < end:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        done = len(self.answers())
        self.assertLess(done, 40)
        with open(path, "ab") as out:  # a line that a crash cut off
            out.write(b'{"id":"q39","answer":"hal')
        result = self.run_glyph("batch", "in.jsonl", "-o", "out.jsonl")
        self.assert_ok(result)
        self.assertIn(f"{40 - done} answered, 0 failed, {done} were there", result.err)
        self.assertEqual([a["id"] for a in self.answers()], [f"q{i}" for i in range(40)])

    def test_a_finished_run_does_nothing(self):
        self.questions(2)
        self.run_glyph("batch", "in.jsonl", "-o", "out.jsonl")
        before = (self.dir / "out.jsonl").read_bytes()
        self.assert_ok(self.run_glyph("batch", "in.jsonl", "-o", "out.jsonl"))
        self.assertEqual((self.dir / "out.jsonl").read_bytes(), before)

    def test_files_that_cannot_be_used(self):
        self.questions(1)
        self.assert_one_sentence(self.run_glyph("batch", "nowhere.jsonl", "-o", "out.jsonl"), 3, "nowhere.jsonl")
        self.assert_one_sentence(self.run_glyph("batch", "in.jsonl", "-o", "in.jsonl"), 2, "in.jsonl")
        self.write("thesis.txt", "my thesis")
        self.assert_one_sentence(self.run_glyph("batch", "in.jsonl", "-o", "thesis.txt"), 2, "thesis.txt")
        self.assertEqual((self.dir / "thesis.txt").read_text(), "my thesis")
        self.assertFalse((self.dir / "out.jsonl").exists())


if __name__ == "__main__":
    unittest.main()
