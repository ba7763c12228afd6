"""glyph compile, and how plans are found, used and made again."""
import unittest

from harness import GlyphTest, text_of_lines


class Compile(GlyphTest):
    def compile(self, *args):
        return self.run_glyph("compile", "--device", "cpu", "--precision", "fp32", "--pages", "140x140", *args)

    def ask(self, *args):
        return self.run_glyph("ask", "--device", "cpu", "--precision", "fp32", "--max-tokens", "4", *args, "note.txt", "What is it?")

    def setUp(self):
        super().setUp()
        self.write("note.txt", text_of_lines(20))

    def test_writes_a_plan_that_a_question_uses(self):
        result = self.compile("-o", "my.plan")
        self.assert_ok(result)
        self.assertEqual(result.out, "my.plan\n")
        text = (self.dir / "my.plan").read_text()
        self.assertTrue(text.startswith("glyph plan 1\nprogram "))
        self.assertIn("\npages 10 10 1 1 measured direct ", text)
        before = (self.dir / "my.plan").stat().st_mtime_ns
        answer = self.ask("--plan", "my.plan")
        self.assert_ok(answer)
        self.assertNotIn("made again", answer.err)
        self.assertEqual((self.dir / "my.plan").stat().st_mtime_ns, before)
        self.assertEqual(answer.out, self.ask("--plan", "none").out)

    def test_without_a_name_the_plan_goes_where_it_is_found(self):
        result = self.compile()
        self.assert_ok(result)
        self.assertRegex(result.out, r"/\.cache/glyph/plans/[0-9a-f]{32}\.plan\n$")
        self.assertIn("passes over pages, loaded in", self.ask("--log-level", "debug").err)

    def test_a_stale_plan_is_made_again_and_said(self):
        self.assert_ok(self.compile("-o", "my.plan"))
        answer = self.run_glyph("ask", "--device", "cpu", "--precision", "bf16", "--max-tokens", "4", "--plan", "my.plan", "note.txt", "What?")
        self.assert_ok(answer)
        self.assertIn("it was made for another model or precision; the plan is made again", answer.err)
        self.write("my.plan", "glyph plan 1\nno")
        answer = self.ask("--plan", "my.plan")
        self.assert_ok(answer)
        self.assertIn("my.plan: the plan is damaged", answer.err)
        self.assertNotIn("made again", self.ask("--plan", "my.plan").err)

    def test_says_what_is_wrong(self):
        for sizes in ("", "x", "10", "10x", "10x10,", "0x10", "10x99999", "10x10;10x10", "1e3x4"):
            result = self.run_glyph("compile", "--pages=" + sizes) if sizes else self.run_glyph("compile", "--pages")
            self.assertEqual(result.code, 2, repr(result))
        self.assert_one_sentence(self.run_glyph("compile", "--device", "cpu", "--pages", "10000x10"), 3, "times as long as wide")
        self.assert_one_sentence(self.ask("--plan", "none.plan"), 3, "none.plan")
        self.assert_one_sentence(self.compile("-o", "nowhere/my.plan"), 1, "nowhere")


if __name__ == "__main__":
    unittest.main()
