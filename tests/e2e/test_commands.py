"""glyph render, extract, tokenize, doctor, bench."""
import hashlib
import json
import struct
import unittest

import documents
from harness import GlyphTest, text_of_lines


def png_size(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


class Render(GlyphTest):
    def setUp(self):
        super().setUp()
        self.write("note.txt", text_of_lines(200))

    def digests(self, folder):
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted((self.dir / folder).iterdir())}

    def test_pages_and_their_description(self):
        self.assert_ok(self.run_glyph("render", "note.txt", "-o", "out"))
        report = json.loads((self.dir / "out" / "pages.json").read_text())
        names = [page["file"] for page in report["pages"]]
        self.assertEqual(names, ["page_001.png", "page_002.png", "page_003.png"])
        self.assertEqual(sorted(self.digests("out")), names + ["pages.json"])
        for page in report["pages"]:
            self.assertEqual(png_size(self.dir / "out" / page["file"]), (page["width"], page["height"]))
        self.assertEqual(sum(len(page["lines"]) for page in report["pages"]), 200)
        self.assertEqual(report["text_chars"], len(text_of_lines(200)))
        self.assertEqual(report["dpi"], 72)
        self.assertEqual(report["style"]["font-size"], 9)
        self.assertIn("DejaVu Sans", report["font"])
        self.assertGreater(report["compression"], 1)

    def test_line_boxes_point_into_the_text(self):
        self.run_glyph("render", "note.txt", "-o", "out")
        text = self.run_glyph("extract", "note.txt").out.encode()
        report = json.loads((self.dir / "out" / "pages.json").read_text())
        for page in report["pages"]:
            for line in page["lines"]:
                self.assertRegex(text[line["text_begin"]:line["text_end"]].decode(), r"^This is line \d+ of")
                self.assertLess(line["top"], line["bottom"])
                self.assertLess(line["x"], line["end_x"])

    def test_the_same_pixels_each_time(self):
        for folder in ("one", "two"):
            self.assert_ok(self.run_glyph("render", "note.txt", "-o", folder))
        self.assertEqual(self.digests("one"), self.digests("two"))

    def test_replaces_its_own_pages_only(self):
        self.run_glyph("render", "note.txt", "-o", "out")
        self.write("short.txt", "text")
        self.assert_ok(self.run_glyph("render", "short.txt", "-o", "out"))
        self.assertEqual(sorted(self.digests("out")), ["page_001.png", "pages.json"])
        self.write("out/thesis.txt", "mine")
        self.assert_one_sentence(self.run_glyph("render", "note.txt", "-o", "out"), 2, "thesis.txt")
        self.assertEqual(len(self.digests("out")), 3)

    def test_without_a_model(self):
        self.assert_ok(self.run_glyph("render", "note.txt", "-o", "out", env={"GLYPH_MODEL": None}))

    def test_style_file(self):
        self.write("style.json", '{"page-size": "300,400", "dpi": 96, "font-size": 12, "line-height": 13, "alignment": "LEFT"}')
        self.assert_ok(self.run_glyph("render", "--style", "style.json", "note.txt", "-o", "out"))
        self.assertEqual(png_size(self.dir / "out" / "page_001.png"), (400, 534))


class Extract(GlyphTest):
    def test_text_formats(self):
        self.write("u16.txt", "Grüße, 世界\n".encode("utf-16"))
        self.write("gb.txt", "第一章 这是一个关于城市预算的报告。\n".encode("gb18030"))
        self.write("a.md", "# Title\n\nSome *words*.\n")
        self.write("a.html", "<html><body><p>One &amp; two</p><script>no</script></body></html>")
        self.write("a.docx", documents.docx(paragraphs=("First paragraph.", "Second one.")))
        self.write("a.pdf", documents.pdf(["Page one.", "Page two."]))
        for name, parts in [("u16.txt", ["Grüße, 世界"]), ("gb.txt", ["第一章 这是一个关于城市预算的报告。"]), ("a.md", ["Title", "words"]),
                            ("a.html", ["One & two"]), ("a.docx", ["First paragraph.", "Second one."]), ("a.pdf", ["Page one.", "Page two."])]:
            with self.subTest(name=name):
                result = self.run_glyph("extract", name)
                self.assert_ok(result)
                for part in parts:
                    self.assertIn(part, result.out)
        self.assertNotIn("script", self.run_glyph("extract", "a.html").out)

    def test_the_guess_of_an_encoding_is_reported(self):
        self.write("gb.txt", "第一章 这是一个关于城市预算的报告。\n".encode("gb18030"))
        self.assertIn("GB18030", self.run_glyph("extract", "gb.txt").err)

    def test_pictures_are_said_to_have_no_text(self):
        self.write("note.txt", "text")
        self.assert_ok(self.run_glyph("render", "note.txt", "-o", "out"))
        result = self.run_glyph("extract", "out/page_001.png")
        self.assert_ok(result)
        self.assertEqual(result.out, "")
        self.assertIn("1 page is a picture", result.err)
        answer = self.run_glyph("ask", "--json", "out/page_001.png", "What?", "--max-tokens", "1").json
        self.assertEqual(answer["pages"], 1)
        self.assertEqual(answer["compression"], 0)

    def test_several_files_have_their_names_as_headings(self):
        self.write("a.txt", "alpha\n")
        self.write("b.txt", "beta\n")
        out = self.run_glyph("extract", "a.txt", "b.txt").out
        positions = [out.index(part) for part in ("a.txt", "alpha", "b.txt", "beta")]
        self.assertEqual(positions, sorted(positions))


class Tokenize(GlyphTest):
    def test_there_and_back(self):
        text = "Hello, 世界! \U0001F600\n  tabs\tand spaces\n"
        ids = self.run_glyph("tokenize", "-m", self.model, stdin=text.encode())
        self.assert_ok(ids)
        self.assertEqual(ids.out.count("\n"), 1)
        self.assertEqual(len(ids.json), len(text.encode()))
        back = self.run_glyph("tokenize", "-m", self.model, "--decode", stdin=ids.out.encode())
        self.assertEqual(back.out, text)

    def test_control_tokens_only_where_wanted(self):
        self.assertEqual(len(self.run_glyph("tokenize", stdin=b"<|user|>").json), 1)
        self.assertEqual(len(self.run_glyph("tokenize", "--plain", stdin=b"<|user|>").json), 8)

    def test_bad_ids(self):
        for text in (b"not json", b"{}", b"[-1]", b"[1.5]", b"[99999999]", b'["a"]'):
            self.assert_one_sentence(self.run_glyph("tokenize", "--decode", stdin=text), 3, "stdin")

    def test_empty_input(self):
        self.assertEqual(self.run_glyph("tokenize", stdin=b"").json, [])


class Doctor(GlyphTest):
    def test_every_check_says_ok_or_what_to_do(self):
        result = self.run_glyph("doctor", "--json")
        self.assert_ok(result)
        report = result.json
        self.assertTrue(report["ok"])
        self.assertEqual([c["check"] for c in report["checks"]], ["cpu", "memory", "room", "model", "font", "font (zh)", "helper", "gpu"])
        for check in report["checks"]:
            self.assertTrue(check["state"] == "ok" or check["advice"], check)

    def test_a_missing_model_is_bad(self):
        result = self.run_glyph("doctor", "-m", "nowhere")
        self.assertEqual(result.code, 1)
        self.assertRegex(result.out, r"(?m)^bad +model")
        self.assertIn("->", result.out)

    def test_a_missing_helper_is_bad(self):
        result = self.run_glyph("doctor", "--json", env={"GLYPH_EXTRACT": "/nonexistent/glyph-extract"})
        self.assertEqual(result.code, 1)
        self.assertFalse(result.json["ok"])


class Bench(GlyphTest):
    def test_e2e_reports_machine_and_runs(self):
        result = self.run_glyph("bench", "e2e", "--json", "--pages", "2", "--repeats", "2", "--answer-tokens", "3")
        self.assert_ok(result)
        report = result.json
        self.assertEqual(len(report["runs"]), 2)
        self.assertEqual(report["runs"][0]["pages"], 2)
        self.assertGreater(report["peak_memory_mib"], 1)
        self.assertGreaterEqual(report["machine"]["cores"], 1)


if __name__ == "__main__":
    unittest.main()
