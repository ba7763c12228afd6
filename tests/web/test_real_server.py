"""The whole path of a person, in both languages, against the real `glyph serve` with the model of the repository."""
import json
import unittest
from pathlib import Path

import page
import real_server

WORDS = "carries 48,213 vehicles a day"
ON_PAGE_2 = "The lamp room was rebuilt by Harriet Quill in 1957"
BOOK = page.TEXT + "\n" + page.TEXT.replace("Line 50 of", f"{ON_PAGE_2}. Line 50 of")  # two pages
LANGUAGES = {"en": ("Export as Markdown", "Question", "How many vehicles cross the harbour bridge?", "And when was it opened?"),
             "zh": ("导出为 Markdown", "问题", "每天有多少车辆通过港口大桥？", "它是什么时候开放的？")}


class RealServer(real_server.RealServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.report = cls.write("harbour report.txt", BOOK)

    def test_upload_ask_ask_again_cite_export(self):
        for language, (export_label, question_word, first, second) in LANGUAGES.items():
            with self.subTest(language):
                self.load(language=language, max_tokens=24)
                self.upload_and_wait()
                self.ask(first)
                self.ask(second)
                self.assertEqual(len(self.all(".message")), 4)
                self.check_that_the_document_stayed_read()
                self.check_places_of_the_models_own_answers()
                self.check_citation(first)
                self.check_export(export_label, question_word, first)

    def check_that_the_document_stayed_read(self):
        newest = self.call("v1/conversations/" + self.call("v1/conversations")["data"][0]["id"])
        figures = [message["glyph"] for message in newest["messages"] if message["role"] == "assistant"]
        self.assertEqual(len(figures), 2)
        for glyph in figures:
            self.assertGreater(glyph["cached_tokens"], 400)
        self.assertGreaterEqual(len(self.all(".stats")[-1].find_elements("tag name", "dt")), 8)

    def check_places_of_the_models_own_answers(self):
        """What the model really wrote: as often as it quotes, or names a figure of the document, its place leads to a box on that page."""
        for index in range(len(self.all("button.place"))):
            words = self.all("button.place")[index].find_element("class name", "place-words").text
            self.all("button.place")[index].click()
            self.check_box(words)
            self.click("#viewer-close")

    def check_citation(self, question):
        """An answer that quotes the document, whoever wrote it: its words are found by the server and boxed on the page it drew."""
        newest = self.call("v1/conversations")["data"][0]["id"]
        conversation = self.call("v1/conversations/" + newest)
        conversation["messages"][1]["content"] = f"The book says “{WORDS}”, “{ON_PAGE_2}” and “it was painted green”."
        self.call("v1/conversations/" + newest, {key: conversation[key] for key in ("title", "documents", "messages")}, "PUT")
        language = self.browser.execute_script("return JSON.parse(localStorage.getItem('glyph.settings')).language")
        self.load(language=language, max_tokens=24)
        self.until(lambda: self.all("#conversations .row-main"))[0].click()
        for words, number in ((WORDS, 1), (ON_PAGE_2, 2)):
            self.until(lambda: [node for node in self.all("button.place") if words in node.text])[0].click()
            self.assertEqual(self.check_box(words), number)
        self.assertTrue(self.all(".quote-missing"))
        self.click("#viewer-close")

    def check_box(self, words):
        """The page that is shown is the first on which the server finds the words, with a box that lies on it; its number."""
        document = self.call("v1/documents")["data"][0]["id"]
        place = self.call(f"v1/documents/{document}/find", {"quotes": [words.strip(" .,;:!?")]})["matches"][0]["boxes"][0]
        self.until(lambda: int(self.one("#viewer-page").get_attribute("value")) == place["page"] and self.all(".boxes rect"))
        self.until(lambda: self.all("#sheet:not([aria-busy])"))
        box, image = self.all(".boxes rect")[0].rect, self.one(".paper img").rect
        natural = self.browser.execute_script("return document.querySelector('.paper img').naturalWidth")
        self.assertAlmostEqual((box["x"] - image["x"]) * natural / image["width"], place["x0"] - 2, delta=6)
        self.assertAlmostEqual((box["y"] - image["y"]) * natural / image["width"], place["y0"] - 1, delta=6)
        self.assertAlmostEqual(box["width"] * natural / image["width"], place["x1"] - place["x0"] + 4, delta=8)
        return place["page"]

    def check_export(self, label, question_word, question):
        self.click("#conversation-menu")
        self.choose(label)
        text = self.saved_text("*.md")
        self.assertIn(f"## {question_word}\n\n{question}", text)
        self.assertIn(WORDS, text)
        self.click("#conversation-menu")
        self.choose(label.replace("Markdown", "JSON"))
        conversation = json.loads(self.saved_text("*.json"))
        self.assertEqual([message["role"] for message in conversation["messages"]], ["user", "assistant"] * 2)
        self.assertEqual(conversation["documents"][0]["name"], "harbour report.txt")

    def saved_text(self, pattern):
        path = self.until(lambda: next(Path(self.saved).glob(pattern), None))
        text = path.read_text()
        path.unlink()
        return text


if __name__ == "__main__":
    unittest.main()
