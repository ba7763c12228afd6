"""Documents on the page: upload, progress, pages; and the style they are drawn in."""
import json
import time
import unittest

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import probes
from page import TEXT, URL, PageTest


class Documents(PageTest):
    def test_progress_is_shown(self):
        self.behave(slow=0.5)
        self.upload(self.write(f"new {time.time()}.txt", TEXT + str(time.time())))
        seen = set()
        self.until(lambda: seen.add(self.browser.execute_script("return document.querySelector('.card')?.dataset.state")) or
                   self.all(".card.is-ready"))
        self.assertGreaterEqual(len(seen & {"uploading", "extracting", "drawing", "encoding", "reading"}), 1 if URL else 3)
        self.until(lambda: "is read" in self.browser.find_element(By.ID, "live").get_attribute("textContent"))

    def test_several_files_at_once(self):
        other = self.write("second.md", "# Second\n\nAnother text.\n" * 30)
        self.upload(f"{self.report}\n{other}")
        self.until(lambda: len(self.all(".card.is-ready")) == 2)
        self.click(".card:last-child [data-part=remove]")
        self.until(lambda: len(self.all(".card")) == 1)

    def test_drop_and_paste(self):
        self.browser.execute_script(probes.DROP, "dropped.txt", TEXT)
        self.until(lambda: self.all(".card.is-ready"))
        self.browser.execute_script(probes.PASTE, TEXT)
        self.until(lambda: len(self.all(".card")) in (1, 2) and self.all(".toast"))
        self.until(lambda: any("document" in toast.text or "already" in toast.text for toast in self.all(".toast")))

    def test_zoom_and_pages(self):
        self.upload_and_wait()
        self.click(".card-main")
        width = self.until(lambda: self.all(".paper img") and self.all(".paper img")[0].rect["width"])
        for _ in range(3):
            self.click("#zoom-in")
        self.until(lambda: self.all(".paper img")[0].rect["width"] > width)
        self.click("#zoom-fit")
        self.until(lambda: abs(self.all(".paper img")[0].rect["width"] - width) < 2)
        if not URL:
            self.one("#sheet").click()
            self.press(Keys.ARROW_RIGHT)
            self.until(lambda: self.one("#viewer-page").get_attribute("value") == "2")
        self.click("#viewer-text")
        self.until(lambda: self.all(".source-text") and "harbour bridge" in self.one(".source-text").text)

    def test_settings_and_preview(self):
        self.click("#open-settings")
        image = self.until(lambda: next(iter(self.all("#preview-sheet img")), None))
        first = int(image.get_attribute("width"))
        self.browser.find_element(By.CSS_SELECTOR, "input[name=dpi][value='120']").send_keys(Keys.SPACE)
        self.until(lambda: self.all("#preview-sheet img") and int(self.all("#preview-sheet img")[0].get_attribute("width")) > first)
        self.assertIn("×", self.one("#preview-figures").text)
        self.click("#set-cache")
        length = self.one("#set-max_tokens")
        length.send_keys(Keys.CONTROL, "a")
        length.send_keys("99999", Keys.TAB)
        self.assertEqual(length.get_attribute("value"), "8192")
        self.press(Keys.ESCAPE)
        self.until(lambda: not self.all("dialog"))
        stored = json.loads(self.browser.execute_script("return localStorage.getItem('glyph.settings')"))
        self.assertEqual((stored["dpi"], stored["cache"], stored["max_tokens"]), (120, False, 8192))


if __name__ == "__main__":
    unittest.main()
