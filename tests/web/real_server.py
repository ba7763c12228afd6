"""The page of a real `glyph serve`, with the model of the repository and a state directory of its own."""
import json
import os
import re
import subprocess
import tempfile
import threading
import urllib.request

import harness
import page


class RealServerTest(page.PageTest):
    @classmethod
    def command(cls):
        return [harness.GLYPH, "serve", "-m", harness.ROOT / "models" / "glyph-mini"]

    @classmethod
    def start_server(cls):
        cls.state = tempfile.TemporaryDirectory(prefix="glyph-web-state-")
        environment = {**os.environ, "GLYPH_PORT": "0", "GLYPH_STATE": cls.state.name}
        cls.process = subprocess.Popen(cls.command(), stderr=subprocess.PIPE, text=True, env=environment)
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
