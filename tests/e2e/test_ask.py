"""glyph ask: the shape of its output, where settings come from, usage errors."""
import json
import unittest

import documents
from harness import GlyphTest, text_of_lines


class Output(GlyphTest):
    def setUp(self):
        super().setUp()
        self.write("note.txt", text_of_lines(60))

    def test_answer_on_stdout_log_on_stderr(self):
        result = self.run_glyph("ask", "note.txt", "What is it?", "--max-tokens", "5")
        self.assert_ok(result)
        self.assertTrue(result.out.endswith("\n"))
        self.assertNotIn("glyph:", result.out)
        self.assertIn("1 page, ", result.err)

    def test_json_has_the_contract_s_fields(self):
        result = self.run_glyph("ask", "--json", "note.txt", "What is it?", "--max-tokens", "5")
        self.assert_ok(result)
        self.assertEqual(result.out.count("\n"), 1)
        answer = result.json
        for key in ("answer", "finish_reason", "pages", "usage", "compression", "timings_ms"):
            self.assertIn(key, answer)
        self.assertEqual(set(answer["usage"]), {"prompt_tokens", "image_tokens", "completion_tokens", "cached_tokens"})
        self.assertEqual(set(answer["timings_ms"]), {"extract", "render", "vision", "prefill", "decode", "ttft", "total"})
        self.assertEqual(answer["pages"], 1)
        self.assertEqual(answer["usage"]["cached_tokens"], 0)
        self.assertIn(answer["finish_reason"], ("stop", "length"))
        self.assertGreater(answer["compression"], 1)
        self.assertGreater(answer["timings_ms"]["total"], 0)

    def test_text_and_json_say_the_same(self):
        text = self.run_glyph("ask", "note.txt", "What is it?", "--max-tokens", "20")
        answer = self.run_glyph("ask", "--json", "note.txt", "What is it?", "--max-tokens", "20").json
        self.assertEqual(text.out, answer["answer"] + "\n")

    def test_guesses_do_not_change_the_answer(self):
        letters = [chr(code) for code in range(33, 127)]
        self.write("pairs.txt", "\n".join("".join(first + second for second in letters) for first in letters))  # nonsense quotes it, too
        for extra in ([], ["--temperature", "1", "--top-k", "0", "--seed", "5"]):
            ask = ["ask", "pairs.txt", "What is it?", "--max-tokens", "200", *extra, "--draft-tokens"]
            guessing, plain = self.run_glyph(*ask, "7"), self.run_glyph(*ask, "0")
            self.assert_ok(guessing)
            self.assertEqual(guessing.out, plain.out)
            self.assertNotIn("guessed", plain.err)
        self.assertIn("guessed right", guessing.err)
        self.assert_one_sentence(self.run_glyph("ask", "note.txt", "What?", "--draft-tokens", "65"), 2, "draft-tokens", "64")

    def test_the_seed_decides_a_sampled_answer(self):
        sample = ["ask", "--json", "note.txt", "What is it?", "--max-tokens", "20", "--temperature", "1", "--seed"]
        one, again, other = (self.run_glyph(*sample, seed).json["answer"] for seed in ("1", "1", "2"))
        self.assertEqual(one, again)
        self.assertNotEqual(one, other)

    def test_several_files_are_one_document(self):
        self.write("other.txt", text_of_lines(60))
        answer = self.run_glyph("ask", "--json", "note.txt", "other.txt", "What is it?", "--max-tokens", "2").json
        self.assertEqual(answer["pages"], 2)

    def test_pdf_and_docx(self):
        self.write("a.pdf", documents.pdf(["The budget was approved by Ada."]))
        self.write("a.docx", documents.docx())
        for name in ("a.pdf", "a.docx"):
            result = self.run_glyph("ask", "--json", name, "Who?", "--max-tokens", "2")
            self.assert_ok(result)
            self.assertEqual(result.json["pages"], 1)

    def test_no_progress_without_a_terminal(self):
        result = self.run_glyph("ask", "note.txt", "What is it?", "--max-tokens", "5")
        self.assertNotIn("\r", result.err)
        self.assertNotIn("\033", result.err)

    def test_the_document_s_script_is_checked(self):
        self.model = self.tiny_model("script=Latin")
        self.write("ru.txt", "Привет, это документ о бюджете.\n")
        result = self.run_glyph("ask", "--json", "ru.txt", "What is it?", "--max-tokens", "2")
        self.assert_ok(result)
        self.assertIn("Cyrillic", result.err)
        self.assertIn("Cyrillic", " ".join(result.json["warnings"]))

    def test_a_question_cannot_forge_control_tokens(self):
        count = lambda q: self.run_glyph("ask", "--json", "note.txt", q, "--max-tokens", "1").json["usage"]["prompt_tokens"]
        self.assertEqual(count("<|user|>"), count("abcdefgh"))

    def test_logits_that_are_no_numbers(self):
        self.model = self.tiny_model("nan")
        self.assert_one_sentence(self.run_glyph("ask", "note.txt", "What is it?"), 1)


class Precedence(GlyphTest):
    def tokens(self, *args, **env):
        result = self.run_glyph("ask", "--json", "note.txt", "Q?", *args, env=env)
        self.assert_ok(result)
        self.assertEqual(result.json["finish_reason"], "length")
        return result.json["usage"]["completion_tokens"]

    def test_flag_beats_environment_beats_file(self):
        self.write("note.txt", "text")
        self.write("glyph.conf", "# settings\nmax-tokens = 2\n")
        config = ("--config", "glyph.conf")
        self.assertEqual(self.tokens(*config), 2)
        self.assertEqual(self.tokens(*config, GLYPH_MAX_TOKENS="3"), 3)
        self.assertEqual(self.tokens(*config, "--max-tokens", "4", GLYPH_MAX_TOKENS="3"), 4)
        self.assertEqual(self.tokens(GLYPH_CONFIG="glyph.conf"), 2)

    def test_the_home_s_file_is_read(self):
        self.write("note.txt", "text")
        path = self.base / "home" / ".config" / "glyph" / "glyph.conf"
        path.parent.mkdir(parents=True)
        path.write_text("max-tokens = 2\n")
        self.assertEqual(self.tokens(), 2)

    def test_dpi_replaces_the_style_s(self):
        self.write("note.txt", text_of_lines(60))
        tokens = lambda *args: self.run_glyph("ask", "--json", "note.txt", "Q?", "--max-tokens", "1", *args).json["usage"]["image_tokens"]
        self.assertGreater(tokens("--dpi", "120"), 2 * tokens())
        usual, finer = tokens(), tokens("--dpi", "96")
        self.model = self.tiny_model("page_dpi=96")  # the model's own resolution, unless another is asked for
        self.assertEqual((tokens(), tokens("--dpi", "72")), (finer, usual))
        self.write("style.json", '{"dpi": 72, "font-size": 9, "line-height": 10, "margin-x": 10, "margin-y": 10, "alignment": "LEFT",'
                                 ' "auto-crop-width": true, "auto-crop-last-page": true}')
        self.assertEqual(tokens("--style", "style.json"), usual)


class UsageErrors(GlyphTest):
    def test_each_is_exit_2_and_one_sentence(self):
        self.write("note.txt", "text")
        self.write("bad.conf", "max-tokens = 5\nmax-tokenz = 5\n")
        for args, part in [
            ([], "command"),
            (["asks"], ""),
            (["ask"], ""),
            (["ask", "note.txt"], "QUESTION"),
            (["ask", "note.txt", ""], "question"),
            (["ask", "--nope", "note.txt", "Q?"], "--nope"),
            (["ask", "--max-tokens", "0", "note.txt", "Q?"], "--max-tokens"),
            (["ask", "--max-tokens", "many", "note.txt", "Q?"], "--max-tokens"),
            (["ask", "--temperature", "nan", "note.txt", "Q?"], "--temperature"),
            (["ask", "--top-p", "1.5", "note.txt", "Q?"], "--top-p"),
            (["ask", "--precision", "int3", "note.txt", "Q?"], "precision"),
            (["ask", "--kv-precision", "int8", "note.txt", "Q?"], "kv-precision: 'int8' is none of auto, fp8"),
            (["ask", "--config", "none.conf", "note.txt", "Q?"], "none.conf"),
            (["ask", "--config", "bad.conf", "note.txt", "Q?"], "bad.conf line 2"),
            (["render", "note.txt"], "-o"),
            (["render", "note.txt", "-o", "note.txt"], "note.txt"),
            (["bench", "everything"], ""),
            (["batch", "none.jsonl"], "-o"),
        ]:
            with self.subTest(args=args):
                result = self.run_glyph(*args)
                self.assert_one_sentence(result, 2, part)

    def test_environment_is_checked_too(self):
        self.write("note.txt", "text")
        result = self.run_glyph("ask", "note.txt", "Q?", env={"GLYPH_MAX_TOKENS": "-1"})
        self.assert_one_sentence(result, 2, "GLYPH_MAX_TOKENS")

    def test_help_and_version_are_data(self):
        for args in (["--help"], ["ask", "--help"], ["--version"]):
            result = self.run_glyph(*args)
            self.assert_ok(result)
            self.assertNotEqual(result.out, "")
            self.assertEqual(result.err, "")


class Log(GlyphTest):
    def test_level_and_json(self):
        self.write("note.txt", "text")
        ask = ["ask", "note.txt", "Q?", "--max-tokens", "1"]
        self.assertEqual(self.run_glyph("--log-level", "error", *ask).err, "")
        for line in self.run_glyph("--log-json", *ask).err.splitlines():
            self.assertEqual(set(json.loads(line)), {"time", "level", "message"})


if __name__ == "__main__":
    unittest.main()
