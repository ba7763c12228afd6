"""The examples of docs/ as a reader would run them: each document's blocks in one shell, against a real server.

```sh and ```python blocks run, in order; a ```text or ```json block right after one is what it prints ("..." stands for anything; JSON
is compared as values). ```console, ```ini and other blocks are not run: they need root, a container or another program.
"""
import json
import os
import re
import subprocess
import unittest
from pathlib import Path

import harness
import serving

DOCS = harness.ROOT / "docs"
MARK = "@@ end of block"
REPORT = "The harbour bridge was opened in the spring of 1932.\n" + "".join(f"Line {n} of the harbour book tells of ships and tides.\n" for n in range(120))


def blocks(text):
    """[(language, body)] of fenced blocks, and whether only a line end stands between it and the block before."""
    found, end = [], None
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        found.append((match[1], match[2], end is not None and not text[end:match.start()].strip("\n") and text[end:match.start()].count("\n") == 1))
        end = match.end()
    return found


def examples(text):
    """[(language, body, expected or None)]"""
    found = []
    for language, body, follows in blocks(text):
        if language in ("sh", "python"):
            found.append([language, body, None])
        elif language in ("text", "json") and follows and found:
            found[-1][2] = (language, body)
    return found


def matches(expected, got):
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("..."))
    return re.fullmatch(pattern, got.strip(), re.DOTALL) is not None


class Examples(serving.ServeTest):
    def environment(self, extra=None):
        path = f"{harness.BIN}:{os.environ['PATH']}"
        return super().environment({"GLYPH_MODEL": harness.ROOT / "models" / "glyph-mini", "PATH": path, "no_proxy": "127.0.0.1", **(extra or {})})

    def script(self, found):
        python = os.environ["GLYPH_TEST_PYTHON"]
        self.assertTrue(Path(python).exists(), f"{python}, with OpenAI's client in it, is made by ./test.sh")
        parts = ["set -e -o pipefail"]
        for language, body, _ in found:
            body = body.replace("http://127.0.0.1:7860", self.base_url)
            parts.append(body if language == "sh" else f"'{python}' - <<'END_OF_PYTHON'\n{body}END_OF_PYTHON\n")
            parts.append(f"echo; echo '{MARK}'")
        return "\n".join(parts)

    def run_examples(self, name):
        found = examples((DOCS / name).read_text())
        self.assertGreater(len(found), 1)
        process = self.serve()
        self.write("report.txt", REPORT)
        done = subprocess.run(["bash", "-c", self.script(found)], cwd=self.dir, env=self.environment(), capture_output=True, text=True, timeout=240)
        outputs = done.stdout.split(MARK + "\n")
        ran = len(outputs) - 1
        self.assertEqual((done.returncode, ran), (0, len(found)), f"{name}, block {ran + 1}: {done.stderr}\n{outputs[-1]}")
        self.end(process)
        routes = [json.loads(line)["route"] for line in self.log if line.startswith("{")]
        self.assertTrue(routes)
        self.assertNotIn("other", routes, "request_record.cc does not know a route that is documented")
        for (_, body, expected), got in zip(found, outputs):
            if expected is None:
                continue
            with self.subTest(f"{name}: {body}"):
                language, text = expected
                if language == "json":
                    self.assertEqual(json.loads(got), json.loads(text))
                else:
                    self.assertTrue(matches(text, got), f"wanted:\n{text}\ngot:\n{got}")

    def test_api(self):
        self.run_examples("api.md")

    def test_deploy(self):
        self.run_examples("deploy.md")

    def test_tuning(self):
        self.run_examples("tuning.md")


class Reading(unittest.TestCase):
    def test_blocks_are_found_and_compared(self):
        text = "```sh\necho 1\n```\n```text\n1\n```\nwords\n```python\nprint(2)\n```\nwords\n```json\n{}\n```\n```console\nrm -r /\n```\n"
        self.assertEqual(examples(text), [["sh", "echo 1\n", ("text", "1\n")], ["python", "print(2)\n", None]])
        self.assertTrue(matches("a ... c\n", "a b\nb c"))
        self.assertFalse(matches("a ... c\n", "a b d"))
        self.assertFalse(matches("ab\n", "abc"))

    def test_every_route_is_documented(self):
        """What the server routes stands in api.md, and the other way round."""
        source = (harness.ROOT / "src" / "server" / "request_record.cc").read_text()
        routes = {re.sub(r"/\{.*", "", route) for route in re.findall(r'"(/[a-z0-9/{}_]+)"', source)} - {"/", "/{file}"}
        told = (DOCS / "api.md").read_text()
        self.assertEqual([route for route in sorted(routes) if route and route not in told], [])

    def test_links_lead_somewhere(self):
        for document in DOCS.glob("*.md"):
            for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
                self.assertTrue((DOCS / target).exists(), f"{document.name}: {target}")


if __name__ == "__main__":
    unittest.main()
