"""The model that ships in the repository answers questions about a short document, in fp32 and as the machine computes by itself."""
import unittest

from harness import ROOT, GlyphTest


class ShippedModel(GlyphTest):
    def test_answers_come_from_the_document(self):
        self.write("note.txt", "The budget was approved by Harriet Quill on 12 May 1957.\nThe special magic number for amber-lantern is: 4820175.\n")
        asked = {"Who approved the budget?": "Harriet Quill", "What is the special magic number for amber-lantern?": "4820175",
                 "Who built the bridge?": "The document does not say."}
        for precision in ("fp32", "auto"):
            for question, answer in asked.items():
                with self.subTest(precision=precision, question=question):
                    result = self.run_glyph("ask", "-m", ROOT / "models" / "glyph-mini", "--precision", precision, "note.txt", question)
                    self.assert_ok(result)
                    self.assertEqual(result.out.strip(), answer)


if __name__ == "__main__":
    unittest.main()
