"""The model that ships in the repository answers questions about a short document, in fp32, as the machine computes by itself, and with KV of fp8."""
import unittest

from harness import ROOT, GlyphTest


class ShippedModel(GlyphTest):
    def test_answers_come_from_the_document(self):
        self.write("note.txt", "The budget was approved by Harriet Quill on 12 May 1957.\nThe special magic number for amber-lantern is: 4820175.\n")
        asked = {"Who approved the budget?": "Harriet Quill", "What is the special magic number for amber-lantern?": "4820175",
                 "Who built the bridge?": "The document does not say."}
        for precision, kv in (("fp32", "auto"), ("auto", "auto"), ("auto", "fp8")):
            for question, answer in asked.items():
                with self.subTest(precision=precision, kv=kv, question=question):
                    result = self.run_glyph("ask", "-m", ROOT / "models" / "glyph-mini", "--precision", precision, "--kv-precision", kv,
                                            "note.txt", question)
                    self.assert_ok(result)
                    self.assertEqual(result.out.strip(), answer)


if __name__ == "__main__":
    unittest.main()
