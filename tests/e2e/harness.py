"""Runs the built programs as a user would: own home, own temporary folder, no settings from outside."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("GLYPH_E2E_BIN", ROOT / "build" / "dev" / "bin"))
GLYPH = BIN / "glyph"


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.out[:2000]!r}\nstderr: {self.err[:2000]!r}"


class GlyphTest(unittest.TestCase):
    """Each test has a folder self.dir, which is also where the program runs; `self.model` is a tiny random model."""

    _models = None

    @classmethod
    def tiny_model(cls, *options):
        """A model directory, made once a process for each set of options."""
        if GlyphTest._models is None:
            GlyphTest._models = tempfile.TemporaryDirectory(prefix="glyph-e2e-models-")
        path = Path(GlyphTest._models.name) / ("model" + "-".join(options).replace("=", "_"))
        if not path.exists():
            subprocess.run([BIN / "make_tiny_model", path, *options], check=True)
        return path

    def setUp(self):
        base = tempfile.TemporaryDirectory(prefix="glyph-e2e-")
        self.addCleanup(base.cleanup)
        self.base = Path(base.name)
        self.dir = self.base / "work"
        self.tmp = self.base / "tmp"
        for path in (self.dir, self.tmp, self.base / "home"):
            path.mkdir()
        self.model = self.tiny_model()

    def environment(self, extra=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("GLYPH_") and k != "XDG_CONFIG_HOME"}
        env.update(HOME=str(self.base / "home"), TMPDIR=str(self.tmp), GLYPH_MODEL=str(self.model))
        env.update(extra or {})
        return {k: str(v) for k, v in env.items() if v is not None}

    def start(self, *args, env=None, **kwargs):
        """A running program, leader of its own session. stdout and stderr are pipes unless told otherwise."""
        options = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        options.update(kwargs)
        return subprocess.Popen([str(GLYPH), *map(str, args)], cwd=self.dir, env=self.environment(env), **options)

    def run_glyph(self, *args, env=None, stdin=None, timeout=300):
        process = self.start(*args, env=env, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL)
        try:
            out, err = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            self.fail(f"glyph {args} ran longer than {timeout} s: {err!r}")
        return Result(process.returncode, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape"))

    def write(self, name, content):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def files(self):
        """Everything below the test's folder and its temporary folder."""
        return sorted(str(p.relative_to(self.base)) for p in self.base.rglob("*"))

    def assert_ok(self, result):
        self.assertEqual(result.code, 0, repr(result))

    def assert_one_sentence(self, result, code, *parts):
        """Ended with `code`, wrote nothing to stdout, and one error line that contains all of `parts`."""
        self.assertEqual(result.code, code, repr(result))
        self.assertEqual(result.out, "", repr(result))
        errors = [line for line in result.err.splitlines() if line.startswith("glyph: error: ")]
        self.assertEqual(len(errors), 1, repr(result))
        self.assertEqual(result.err.splitlines()[-1], errors[0], repr(result))
        for part in parts:
            self.assertIn(str(part), errors[0])

    def assert_session_gone(self, leader, within=5.0):
        """No process of the session that `leader` led is left."""
        end = time.monotonic() + within
        while (left := session_members(leader)) and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(left, [])


def session_members(leader):
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = Path("/proc", entry, "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(entry))
    return found


def text_of_lines(count):
    return "".join(f"This is line {i} of a document about nothing in particular.\n" for i in range(count))


def copy_model(source, target):
    shutil.copytree(source, target)
    return target
