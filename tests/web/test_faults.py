"""What the page says when the server misbehaves, is older, or is gone."""
import unittest

from selenium.webdriver.common.by import By

import probes
from page import PageTest


class Faults(PageTest):
    def setUp(self):
        self.needs_mock()
        super().setUp()

    def test_a_refused_question_can_be_tried_again(self):
        self.upload_and_wait()
        self.behave(fail_chat="The document is 300 tokens past the context window.")
        self.ask("Anything")
        self.assertIn("300 tokens past", self.one(".error-box").text)
        self.behave()
        self.click(".error-box .button")
        self.until(lambda: self.all(".stats") and not self.all(".error-box"))

    def test_a_damaged_document_says_so(self):
        self.upload(self.write("broken.pdf", "BROKEN"))
        self.until(lambda: self.all(".card.is-failed"))
        self.assertIn("is damaged", self.one(".card-detail").text)

    def test_an_empty_file_is_refused_here(self):
        self.upload(self.write("empty.txt", ""))
        self.until(lambda: self.all(".card.is-failed"))
        self.assertIn("is empty", self.one(".card-detail").text)

    def test_a_server_without_the_newer_routes(self):
        self.behave(missing=["/v1/conversations.*", "/v1/render", ".*/find", ".*/events", "/version"])
        self.load(language="en")
        self.assertIn("keeps no conversations", self.one("#conversations .list-hint").text)
        self.upload_and_wait()
        self.ask("Anything")
        self.assertEqual(self.all(".place"), [])
        self.assertEqual(len(self.all("#conversations .row, #conversations .list-hint")) > 0, True)
        self.click("#open-settings")
        self.until(lambda: "draws no previews" in self.one("#preview-sheet").text)

    def test_offline_and_back(self):
        self.upload_and_wait()
        self.browser.execute_cdp_cmd("Network.enable", {})
        offline = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
        self.ask("Anything")
        self.assertIn("cannot be reached", self.one("#banner").text)
        self.assertIn("cannot be reached", self.one(".error-box").text)
        self.assertEqual(probes.low_contrast(self.browser), [])
        self.browser.execute_cdp_cmd("Network.emulateNetworkConditions", dict(offline, offline=False))
        self.until(lambda: not self.browser.find_element(By.ID, "banner").is_displayed())


if __name__ == "__main__":
    unittest.main()
