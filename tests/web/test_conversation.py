"""Asking: the whole path in both languages, stop, edit, history."""
import json
import time
import unittest

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from page import URL, PageTest


class Conversation(PageTest):
    def test_upload_ask_ask_again_cite_export(self):
        """The whole path, in both languages."""
        for language, export_label, folder in (("en", "Export as Markdown", "Question"), ("zh", "导出为 Markdown", "问题")):
            with self.subTest(language):
                self.behave(clear=True)
                self.load(language=language)
                self.upload_and_wait()
                self.ask("How many vehicles cross the harbour bridge?")
                answer = self.one(".message.assistant .prose").text
                self.assertTrue(answer)
                if not URL:
                    self.assertIn("carries 48,213 vehicles a day", answer)
                    self.assertTrue(self.all(".prose table") and self.all(".prose ul li") and self.all(".prose strong"))
                    self.assertFalse(self.one(".thought").get_attribute("open"))
                self.ask("And when was it opened?")
                self.assertEqual(len(self.all(".message")), 4)
                self.check_stats()
                self.check_places()
                self.check_export(export_label, folder)

    def check_stats(self):
        strip = self.until(lambda: self.all(".stats"))[-1]
        strip.find_element(By.TAG_NAME, "summary").click()
        self.assertGreaterEqual(len(strip.find_elements(By.TAG_NAME, "dt")), 8)

    def check_places(self):
        if URL and not self.all(".place"):
            return  # a small model may answer without words of the document
        self.until(lambda: self.all("button.place"))[0].click()
        box = self.until(lambda: self.all(".boxes rect"))[0]
        image = self.one(".paper img")
        self.assertTrue(image.get_attribute("alt"))
        self.assertTrue(image.rect["x"] <= box.rect["x"] and box.rect["x"] + box.rect["width"] <= image.rect["x"] + image.rect["width"] + 8)
        if not URL:
            self.assertEqual(self.one("#viewer-page").get_attribute("value"), "2")
            self.assertTrue(self.all(".prose .quote") and self.all(".prose .quote-missing") and self.all(".place.missing"))
        self.click("#viewer-close")

    def check_export(self, label, you):
        self.click("#conversation-menu")
        self.choose(label)
        path = self.until(lambda: next(self.saved.glob("*.md"), None))
        text = path.read_text()
        path.unlink()
        self.assertIn(f"## {you}\n\nHow many vehicles", text)
        self.assertEqual(text.count("\n## "), 4)
        self.click("#conversation-menu")
        self.choose(label.replace("Markdown", "JSON"))
        path = self.until(lambda: next(self.saved.glob("*.json"), None))
        conversation = json.loads(path.read_text())
        path.unlink()
        self.assertEqual([message["role"] for message in conversation["messages"]], ["user", "assistant"] * 2)
        self.assertEqual(conversation["documents"][0]["name"], "harbour report.txt")

    def test_stop_keeps_what_was_written(self):
        self.behave(pause=0.1)
        self.upload_and_wait()
        self.one("#question").send_keys("Tell me a long story about every line of the book.", Keys.ENTER)
        self.until(lambda: self.all(".prose.writing") or self.all(".message.assistant[aria-busy=false]"))  # a small model is quick
        self.press(Keys.ESCAPE)
        self.wait_answer()
        if not URL:
            self.assertIn("Stopped", self.one(".note").text)
        self.assertTrue(self.all("#send"))

    def test_edit_and_regenerate(self):
        self.upload_and_wait()
        self.ask("First words")
        self.ask("Second words")
        self.all("[data-act=again]")[0].click()
        self.until(lambda: len(self.all(".message")) == 2)
        self.wait_answer()
        self.click("[data-act=edit]")
        field = self.focused()
        self.assertEqual(field.get_attribute("value"), "First words")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys("Other words", Keys.ENTER)
        self.until(lambda: [node.text for node in self.all(".bubble")] == ["Other words"])
        self.wait_answer()

    def test_history_is_kept_searched_renamed_deleted(self):
        title = f"Harbour {time.time()}"
        self.upload_and_wait()
        self.ask(title)
        self.load(language="en")
        self.until(lambda: next((row for row in self.all("#conversations .row-main") if row.text == title), None)).click()
        self.until(lambda: len(self.all(".message")) == 2)
        ActionChains(self.browser).key_down(Keys.CONTROL).send_keys("k").key_up(Keys.CONTROL).perform()
        self.focused().send_keys("no such conversation")
        self.assertIn("No conversation matches", self.one("#conversations .list-hint").text)
        self.focused().send_keys(Keys.CONTROL, "a")
        self.focused().send_keys("harbour")
        self.until(lambda: self.all("#conversations .row"))
        self.click("#conversation-menu")
        self.choose("Rename")
        self.one("#prompt-field").send_keys(Keys.CONTROL, "a")
        self.focused().send_keys(f"{title} bridge", Keys.ENTER)
        self.until(lambda: self.one("h1").text == f"{title} bridge")
        self.click("#conversation-menu")
        self.choose("Delete")
        self.click("dialog .danger")
        self.until(lambda: self.all("#welcome") and not [row for row in self.all("#conversations .row-main") if title in row.text])


if __name__ == "__main__":
    unittest.main()
