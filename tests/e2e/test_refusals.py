"""Bad input: one sentence naming the file, exit 3, nothing written, whatever the command."""
import json
import random
import unittest

import documents
from harness import GlyphTest, copy_model, text_of_lines

ENTITY_BOMB = ('<!DOCTYPE w:document [<!ENTITY a "aaaaaaaaaa">' +
               "".join(f'<!ENTITY {b} "{("&" + a + ";") * 10}">' for a, b in zip("abcdefgh", "bcdefghi")) + "]>")


def bad_documents():
    noise = random.Random(1).randbytes(20000)
    whole = documents.pdf(["Page one.", "Page two."])
    bomb = documents.document_xml(["A" * 60_000_000])
    return {
        "encrypted.pdf": (documents.pdf(["secret"], encrypt=True), "encrypted"),
        "truncated.pdf": (whole[:60], ""),
        "garbage.pdf": (b"%PDF-1.4\n" + noise, ""),
        "nopdf.pdf": (b"just some words\n", ""),
        "bomb.docx": (documents.docx({"word/document.xml": bomb}), "100"),
        "entities.docx": (documents.docx({"word/document.xml": documents.document_xml(["&i;"], ENTITY_BOMB)}), ""),
        "nopart.docx": (documents.docx({"word/document.xml": None}), ""),
        "dotdot.docx": (documents.docx({"../evil.txt": "x"}), ".."),
        "garbage.docx": (b"PK\x03\x04" + noise, ""),
        "binary.txt": (noise, ""),
        "empty.txt": (b"", "empty"),
        "blank.txt": (b" \n\t\n", "no text"),
    }


class RefusedDocuments(GlyphTest):
    def refuse(self, name, *parts):
        before = self.files()
        for command in (["ask", name, "What?"], ["ask", "--json", name, "What?"], ["render", name, "-o", "out/pages"], ["extract", name]):
            with self.subTest(command=command[:2], name=name):
                self.assert_one_sentence(self.run_glyph(*command), 3, name, *parts)
                self.assertEqual(self.files(), before)

    def test_each_bad_file(self):
        for name, (content, part) in bad_documents().items():
            self.write(name, content)
            self.refuse(name, part)

    def test_one_bad_file_among_good_ones(self):
        self.write("good.txt", "fine")
        self.write("bad.txt", b"")
        self.assert_one_sentence(self.run_glyph("ask", "good.txt", "bad.txt", "What?"), 3, "bad.txt")

    def test_directory(self):
        (self.dir / "folder").mkdir()
        self.refuse("folder")

    def test_missing_file(self):
        self.refuse("nowhere.txt")

    def test_larger_than_a_limit_names_limit_and_size(self):
        self.write("big.txt", text_of_lines(40000))
        result = self.run_glyph("extract", "--limit-file-mib", "1", "big.txt")
        self.assert_one_sentence(result, 3, "big.txt", 1024 * 1024, (self.dir / "big.txt").stat().st_size)

    def test_more_pages_than_the_limit(self):
        self.write("long.txt", text_of_lines(1000))
        before = self.files()
        self.assert_one_sentence(self.run_glyph("render", "--limit-pages", "3", "long.txt", "-o", "out"), 3, "3")
        self.assertEqual(self.files(), before)

    def test_past_the_context_window(self):
        self.model = self.tiny_model("window=1500")
        self.write("long.txt", text_of_lines(1000))
        result = self.run_glyph("ask", "long.txt", "What?")
        self.assert_one_sentence(result, 3, "long.txt", "13 pages", "more than the 1500")

    def test_a_denser_style_is_offered(self):
        self.model = self.tiny_model("window=900")
        self.write("short.txt", text_of_lines(60))
        self.assert_one_sentence(self.run_glyph("ask", "--dpi", "150", "short.txt", "What?"), 3, "short.txt", "--dpi 72")
        self.assert_ok(self.run_glyph("ask", "--dpi", "72", "short.txt", "What?", "--max-tokens", "2"))


class RefusedStyles(GlyphTest):
    def refuse(self, style, *parts):
        self.write("note.txt", "text")
        self.write("style.json", style)
        before = self.files()
        for command in (["ask", "--style", "style.json", "note.txt", "What?"], ["render", "--style", "style.json", "note.txt", "-o", "out"]):
            self.assert_one_sentence(self.run_glyph(*command), 3, "style.json", *parts)
            self.assertEqual(self.files(), before)

    def test_unknown_key(self):
        self.refuse('{"dpi": 72, "font-sise": 9}', "font-sise")

    def test_negative_page(self):
        self.refuse('{"page-size": "-595,842"}', "page-size")

    def test_not_json(self):
        self.refuse('{"dpi": 72', "")

    def test_missing_style_file(self):
        self.write("note.txt", "text")
        self.assert_one_sentence(self.run_glyph("ask", "--style", "none.json", "note.txt", "What?"), 3, "none.json")

    def test_missing_font(self):
        self.write("note.txt", "text")
        self.write("style.json", '{"font-path": "/nonexistent/font.ttf"}')
        self.assert_one_sentence(self.run_glyph("render", "--style", "style.json", "note.txt", "-o", "out"), 3, "/nonexistent/font.ttf")


class FontWithoutCharacters(GlyphTest):
    def test_names_them_draws_the_box_and_warns(self):
        self.write("note.txt", "Tibetan \u0f40 and text\n")
        result = self.run_glyph("render", "note.txt", "-o", "out")
        self.assert_ok(result)
        self.assertIn("warning", result.err)
        self.assertIn("U+0F40", result.err)
        report = json.loads((self.dir / "out" / "pages.json").read_text())
        self.assertIn("U+0F40", " ".join(report["warnings"]))


class RefusedCheckpoints(GlyphTest):
    def refuse(self, damage, *parts):
        self.write("note.txt", "text")
        self.model = copy_model(self.tiny_model(), self.base / "model")
        path = self.model / "model.safetensors"
        file = documents.Safetensors(path)
        path.write_bytes(damage(file))
        self.assert_one_sentence(self.run_glyph("ask", "note.txt", "What?"), 3, self.model, *parts)

    def test_missing_tensor(self):
        def damage(file):
            last = max((n for n in file.header if n != "__metadata__"), key=lambda n: file.header[n]["data_offsets"][1])
            begin, _ = file.header.pop(last)["data_offsets"]
            file.data = file.data[:begin]
            return file.encode()
        self.refuse(damage, "missing")

    def test_misshaped_tensor(self):
        def damage(file):
            file.header["model.language_model.norm.weight"]["shape"] = [32, 2]
            return file.encode()
        self.refuse(damage, "model.language_model.norm.weight")

    def test_header_longer_than_the_file(self):
        self.refuse(lambda file: file.encode(header_length=1 << 30))

    def test_overlapping_tensors(self):
        def damage(file):
            one = file.header["model.language_model.layers.0.input_layernorm.weight"]
            two = file.header["model.language_model.layers.1.input_layernorm.weight"]
            two["data_offsets"] = one["data_offsets"]
            return file.encode()
        self.refuse(damage)

    def test_truncated(self):
        self.refuse(lambda file: file.encode()[:-100])

    def test_no_model_there(self):
        self.write("note.txt", "text")
        self.assert_one_sentence(self.run_glyph("ask", "-m", "nowhere", "note.txt", "What?"), 3, "nowhere")

    def test_a_tokenizer_that_lacks_the_control_tokens(self):
        self.write("note.txt", "text")
        self.model = copy_model(self.tiny_model(), self.base / "model")
        path = self.model / "tokenizer.json"
        path.write_text(path.read_text().replace("<|begin_of_image|>", "<|begin_of_picture|>"))
        self.assert_one_sentence(self.run_glyph("ask", "note.txt", "What?"), 3, "<|begin_of_image|>")


class RefusedGpus(GlyphTest):
    def ask(self, code, *flags_and_parts):
        flags, *parts = flags_and_parts
        self.write("note.txt", "fine")
        self.assert_one_sentence(self.run_glyph("ask", *flags.split(), "note.txt", "What?"), code, *parts)

    def test_numbers_that_cannot_share_a_model(self):
        self.ask(2, "--tensor-parallel 3", "3 is none of 1, 2, 4")
        self.ask(2, "--tensor-parallel 9", "'9'", "from 1 to 4")

    def test_gpus_on_the_processor(self):
        self.ask(2, "--tensor-parallel 2 --device cpu", "--tensor-parallel", "device cpu")
        self.ask(2, "--gpu 1 --device cpu", "--gpu", "device cpu")

    def test_more_gpus_than_there_are(self):
        self.ask(3, "--gpu 99")
        self.ask(3, "--gpu 98 --tensor-parallel 2")


class RefusedReplicas(GlyphTest):
    def serve(self, code, flags, *parts):
        self.assert_one_sentence(self.run_glyph("serve", "--port", "0", "--state", "state", *flags.split()), code, *parts)

    def test_no_such_number(self):
        for number in ("0", "-1", "65", "two", "1.5"):
            self.serve(2, f"--replicas={number} --device cpu", f"'{number}'", "from 1 to 64, nor all")

    def test_all_of_a_processor(self):
        self.serve(2, "--replicas all --device cpu", "all counts GPUs")

    def test_more_than_there_are_gpus(self):
        self.serve(3, "--replicas 2 --gpu 99")
        self.serve(3, "--replicas 64 --tensor-parallel 4")
        self.serve(3, "--replicas all --gpu 99")


if __name__ == "__main__":
    unittest.main()
