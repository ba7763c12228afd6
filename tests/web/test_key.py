"""A server that wants an API key: the browser asks for it, and the page needs no other."""
import unittest
from urllib.error import HTTPError

import harness
import real_server

KEY = "sk-of-the-harbour-office"


class Key(real_server.RealServerTest):
    @classmethod
    def command(cls):
        keys = cls.write("keys", KEY + "\n")
        return [harness.GLYPH, "serve", "-m", harness.ROOT / "models" / "glyph-mini", "--api-keys", keys]

    def load(self, **settings):
        """What a person types into the browser's dialog stands in the address here, once; then the browser knows it."""
        self.browser.get(self.url.replace("//", f"//anybody:{KEY}@"))
        super().load(**settings)

    def test_nothing_without_it(self):
        for path in ("", "app.js", "v1/documents", "v1/conversations"):
            with self.assertRaises(HTTPError) as refused:
                self.call(path)
            self.assertEqual(refused.exception.code, 401, path)
            self.assertTrue(refused.exception.headers["WWW-Authenticate"].startswith("Bearer" if path.startswith("v1") else "Basic"), path)
            refused.exception.close()

    def test_upload_and_ask(self):
        self.upload_and_wait()
        self.ask("How many vehicles cross the harbour bridge?")
        self.assertEqual(len(self.all(".message")), 2)
        self.assertNotIn("API key", self.one("body").text)


if __name__ == "__main__":
    unittest.main()
