"""The page in Debian's chromium: what every suite needs.

A suite runs against the mock server, or with GLYPH_URL in the environment against a real `glyph serve` that is already there:

    GLYPH_URL=http://127.0.0.1:7860/ /usr/bin/python3 -B -m unittest -v test_conversation
"""
import json
import os
import shutil
import tempfile
import unittest
import urllib.request
from pathlib import Path
from urllib.parse import urlparse

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

import mock_server
import probes

URL = os.environ.get("GLYPH_URL", "")
WAIT_S = 90 if URL else 20
TEXT = "\n".join(f"Line {n} of the harbour book. {mock_server.SENTENCE}" for n in range(60))


def start_browser(downloads):
    """Debian's chromium, as root and without a display as well."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-device-scale-factor=1",
                 "--no-first-run", "--disable-background-networking", "--no-proxy-server", f"--user-data-dir={downloads}-profile"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": downloads})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "localhost,127.0.0.1"  # selenium talks to chromedriver
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="glyph-web-")
        cls.url = URL or cls.start_server()
        cls.saved = Path(cls.folder, "saved")
        cls.saved.mkdir()
        cls.browser = start_browser(str(cls.saved))
        cls.report = cls.write("harbour report.txt", TEXT)

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()
        if not URL:
            cls.stop_server()
        shutil.rmtree(cls.folder)

    @classmethod
    def start_server(cls):
        cls.server = mock_server.start()
        return f"http://127.0.0.1:{cls.server.server_port}/"

    @classmethod
    def stop_server(cls):
        cls.server.shutdown()
        cls.server.server_close()

    @classmethod
    def write(cls, name, text):
        path = Path(cls.folder, name)
        path.write_text(text)
        return str(path)

    def setUp(self):
        self.behave(clear=True)
        self.size(1280, 800)
        self.browser.get_log("browser")
        self.browser.get_log("performance")
        self.load(language="en", theme="light")

    def tearDown(self):
        """Whatever a test did: nothing left this host, nothing broke the content policy, no script failed."""
        hosts = {urlparse(url).netloc.rpartition("@")[2] for url in probes.requested(self.browser) if urlparse(url).scheme in ("http", "https", "ws")}
        self.assertLessEqual(hosts, {urlparse(self.url).netloc})
        bad = [entry["message"] for entry in self.browser.get_log("browser")
               if entry["level"] == "SEVERE" and "Failed to load resource" not in entry["message"]]
        self.assertEqual(bad, [])

    def behave(self, **settings):
        if hasattr(self, "server"):
            body = json.dumps(settings).encode()
            urllib.request.urlopen(urllib.request.Request(self.url + "mock", body)).close()

    def size(self, width, height):
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                     {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def load(self, **settings):
        self.browser.get(self.url)
        self.browser.execute_script("localStorage.setItem('glyph.settings', JSON.stringify(arguments[0]))", settings)
        self.browser.get(self.url)
        self.until(lambda: self.all("#question") and not self.all(".skeleton"))

    def until(self, condition, message=""):
        return WebDriverWait(self.browser, WAIT_S, 0.05, [StaleElementReferenceException]).until(lambda _: condition(), message)

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.until(lambda: next((node for node in self.all(selector) if node.is_displayed()), None), selector)

    def click(self, selector):
        self.until(lambda: self.one(selector).click() or True)

    def focused(self):
        return self.browser.switch_to.active_element

    def press(self, *keys):
        ActionChains(self.browser).send_keys(*keys).perform()

    def upload(self, path=None):
        self.browser.find_element(By.ID, "files").send_keys(path or self.report)
        self.until(lambda: self.all(".card"), "no card appeared")

    def upload_and_wait(self):
        self.upload()
        self.until(lambda: self.all(".card.is-ready"), "the document never became ready")

    def ask(self, words):
        before = len(self.all(".message.assistant"))
        self.one("#question").send_keys(words, Keys.ENTER)
        self.until(lambda: len(self.all(".message.assistant")) > before)
        self.wait_answer()

    def wait_answer(self):
        self.until(lambda: self.all(".message.assistant") and self.all(".message.assistant")[-1].get_attribute("aria-busy") == "false"
                   and not self.all("#stop"), "the answer did not end")

    def choose(self, label):
        self.until(lambda: self.all(".menu"))
        self.until(lambda: next(node for node in self.all(".menu [role=menuitem]") if node.text == label)).click()

    def needs_mock(self):
        if URL:
            self.skipTest("needs a server that can be told to misbehave")
