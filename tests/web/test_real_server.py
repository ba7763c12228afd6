"""The whole path of a person, in both languages, against the real `glyph serve` with the model of the repository."""
import json
import re
import subprocess
import tempfile
import threading
import unittest
import urllib.request
from pathlib import Path

import harness
import page

WORDS = "carries 48,213 vehicles a day"
LANGUAGES = {"en": ("Export as Markdown", "Question", "How many vehicles cross the harbour bridge?", "And when was it opened?"),
             "zh": ("导出为 Markdown", "问题", "每天有多少车辆通过港口大桥？", "它是什么时候开放的？")}


class RealServer(page.PageTest):
    @classmethod
    def start_server(cls):
        cls.state = tempfile.TemporaryDirectory(prefix="glyph-web-state-")
        cls.process = subprocess.Popen([harness.GLYPH, "serve", "-m", harness.ROOT / "models" / "glyph-mini", "--port", "0", "--state", cls.state.name],
                                       stderr=subprocess.PIPE, text=True)
        for line in cls.process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
                threading.Thread(target=cls.process.stderr.read, daemon=True).start()
                return found[0]
        raise AssertionError("the server did not start")

    @classmethod
    def stop_server(cls):
        cls.process.terminate()
        assert cls.process.wait(60) == 0
        cls.state.cleanup()

    def call(self, path, body=None, method=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def test_upload_ask_ask_again_cite_export(self):
        for language, (export_label, question_word, first, second) in LANGUAGES.items():
            with self.subTest(language):
                self.load(language=language, max_tokens=24)
                self.upload_and_wait()
                self.ask(first)
                self.ask(second)
                self.assertEqual(len(self.all(".message")), 4)
                self.check_that_the_document_stayed_read()
                self.check_citation(first)
                self.check_export(export_label, question_word, first)

    def check_that_the_document_stayed_read(self):
        newest = self.call("v1/conversations/" + self.call("v1/conversations")["data"][0]["id"])
        figures = [message["glyph"] for message in newest["messages"] if message["role"] == "assistant"]
        self.assertEqual(len(figures), 2)
        for glyph in figures:
            self.assertGreater(glyph["cached_tokens"], 400)
        self.assertGreaterEqual(len(self.all(".stats")[-1].find_elements("tag name", "dt")), 8)

    def check_citation(self, question):
        """An answer that quotes the document, whoever wrote it: its words are found by the server and boxed on the page it drew."""
        newest = self.call("v1/conversations")["data"][0]["id"]
        conversation = self.call("v1/conversations/" + newest)
        conversation["messages"][1]["content"] = f"The book says “{WORDS}” and “it was painted green”."
        self.call("v1/conversations/" + newest, {key: conversation[key] for key in ("title", "documents", "messages")}, "PUT")
        language = self.browser.execute_script("return JSON.parse(localStorage.getItem('glyph.settings')).language")
        self.load(language=language, max_tokens=24)
        self.until(lambda: self.all("#conversations .row-main"))[0].click()
        self.until(lambda: self.all("button.place"))[0].click()
        box = self.until(lambda: self.all(".boxes rect"))[0].rect
        image = self.one(".paper img").rect
        self.assertGreater(box["width"], 40)
        self.assertTrue(image["x"] <= box["x"] and box["x"] + box["width"] <= image["x"] + image["width"] + 8)
        self.assertTrue(self.all(".quote-missing"))
        self.click("#viewer-close")

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
