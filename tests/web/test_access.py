"""The page for everyone: names, contrast, widths, keyboard, languages, themes."""
import time
import unittest

from selenium.webdriver.common.keys import Keys

import probes
from page import URL, PageTest


class Access(PageTest):
    def states(self):
        """Yields after bringing the page into each of its designed states."""
        yield "empty"
        self.upload_and_wait()
        yield "document"
        self.ask("How many vehicles cross the harbour bridge?")
        for details in self.all("details"):
            self.browser.execute_script("arguments[0].open = true", details)
        yield "answer"
        self.browser.execute_script("arguments[0].click()", (self.all("button.place") or self.all(".card-main"))[0])
        self.until(lambda: self.all(".paper img"))
        yield "pages"
        self.click("#viewer-close")
        self.click("#open-settings")
        self.until(lambda: self.all("#preview-sheet > *"))
        yield "settings"

    def test_names_and_contrast_in_both_languages_and_themes(self):
        for language, theme in (("en", "light"), ("zh", "dark")):
            self.behave(clear=True)
            self.load(language=language, theme=theme)
            for state in self.states():
                with self.subTest(f"{language} {theme} {state}"):
                    time.sleep(0.3)  # transitions end
                    self.assertEqual(probes.unnamed(self.browser), [])
                    self.assertEqual(probes.low_contrast(self.browser), [])

    def test_nothing_is_cut_from_320_px_to_4k(self):
        for width, height in ((320, 640), (360, 800), (768, 1024), (1280, 800), (3840, 2160)):
            self.behave(clear=True)
            self.size(width, height)
            self.load(language="en")
            for state in self.states():
                with self.subTest(f"{width} {state}"):
                    self.assertEqual(probes.overflow(self.browser), [])

    def test_keyboard_only(self):
        self.browser.execute_script("document.body.focus()")
        self.press(Keys.TAB)
        self.assertEqual(self.focused().get_attribute("class"), "skip")
        self.press(Keys.ENTER)
        self.assertEqual(self.focused().get_attribute("id"), "question")
        self.upload_and_wait()
        self.press("How many vehicles cross?", Keys.ENTER)
        self.until(lambda: self.all(".message.assistant"))
        self.wait_answer()
        self.until(lambda: URL or self.all("button.place"))
        reached = self.tab_round()
        for wanted in ("toggle-history", "language", "theme", "open-settings", "toggle-viewer", "new-conversation", "search",
                       "conversation-menu", "attach", "question", "send"):
            self.assertIn(wanted, reached)
        self.check_menu_keys()

    def tab_round(self):
        reached = []
        for _ in range(80):
            self.press(Keys.TAB)
            node = self.focused()
            self.assertTrue(node.tag_name == "body" or node.is_displayed() or node.get_attribute("class") == "skip", node.get_attribute("outerHTML")[:120])
            reached.append(node.get_attribute("id"))
        return reached

    def check_menu_keys(self):
        self.browser.execute_script("document.getElementById('conversation-menu').focus()")
        self.press(Keys.ENTER)
        self.until(lambda: self.all(".menu"))
        first = self.focused().text
        self.press(Keys.ARROW_DOWN)
        self.assertNotEqual(self.focused().text, first)
        self.press(Keys.ESCAPE)
        self.assertEqual(self.focused().get_attribute("id"), "conversation-menu")

    def test_language_and_theme_switch(self):
        self.click("#language")
        self.until(lambda: self.one("#new-conversation").text == "新对话")
        self.assertEqual(self.browser.execute_script("return document.documentElement.lang"), "zh-CN")
        ground = lambda: self.browser.execute_script("return getComputedStyle(document.body).backgroundColor")  # noqa: E731
        light = ground()
        self.click("#theme")
        self.assertNotEqual(ground(), light)
        self.click("#theme")
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
        self.until(lambda: ground() != light)
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]})
        self.until(lambda: ground() == light)

    def test_every_string_exists_in_both_languages(self):
        keys = self.browser.execute_async_script(
            "const done = arguments[0]; Promise.all(['en', 'zh'].map((l) => import(`/strings_${l}.js`)))"
            ".then((all) => done(all.map((m) => Object.keys(m.default))))")
        self.assertEqual(keys[0], keys[1])


if __name__ == "__main__":
    unittest.main()
