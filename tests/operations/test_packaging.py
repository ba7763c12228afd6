"""What is installed: complete, in its place, and saying what the program says."""
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import harness

PACKAGING = harness.ROOT / "packaging"
BUILD = Path(os.environ["GLYPH_BUILD_DIR"])


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, **options)


class Install(harness.GlyphTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="glyph-install-")
        cls.root = Path(cls.folder.name)
        done = run("cmake", "--install", BUILD, "--prefix", "/usr", env=dict(os.environ, DESTDIR=str(cls.root)))
        assert done.returncode == 0, done.stdout + done.stderr

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_everything_is_in_its_place(self):
        for name in ("bin/glyph", "bin/glyph-extract", "share/glyph/models/glyph-mini/config.json", "share/glyph/models/glyph-mini/model.safetensors",
                     "share/glyph/styles/english.json", "share/man/man1/glyph.1", "share/bash-completion/completions/glyph",
                     "share/zsh/site-functions/_glyph", "share/fish/vendor_completions.d/glyph.fish", "lib/systemd/system/glyph.service",
                     "share/doc/glyph/README.md", "share/doc/glyph/README.zh.md", "share/doc/glyph/LICENSE", "share/doc/glyph/glyph-gpu.conf",
                     "share/doc/glyph/glyph.conf.example", "share/doc/glyph/docs/deploy.md"):
            self.assertTrue((self.root / "usr" / name).is_file(), name)

    def test_the_installed_program_finds_what_belongs_to_it(self):
        done = run(self.root / "usr/bin/glyph", "doctor", "--json", env=self.environment({"GLYPH_MODEL": None}))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("glyph-mini", done.stdout)

    def test_systemd_takes_the_unit(self):
        done = run("systemd-analyze", "verify", "--root", self.root, "--man=no", "--recursive-errors=no",
                   self.root / "usr/lib/systemd/system/glyph.service")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)

    def test_the_unit_is_hardened(self):
        done = run("systemd-analyze", "security", "--offline=yes", "--no-pager", self.root / "usr/lib/systemd/system/glyph.service")
        exposure = re.search(r"exposure level for glyph.service: ([\d.]+)", done.stdout)
        self.assertLessEqual(float(exposure[1]), 1.5, done.stdout)

    def test_the_units_own_settings_are_the_programs(self):
        text = (self.root / "usr/lib/systemd/system/glyph.service").read_text()
        self.assertIn("ExecStart=/usr/bin/glyph serve\n", text)
        known = run(harness.GLYPH, "serve", "--help").stdout
        for name in re.findall(r"GLYPH_([A-Z_]+)=", text):
            self.assertIn(f"--{name.lower().replace('_', '-')} ", known)
        for name in re.findall(r"^# ([a-z-]+) = ", (PACKAGING / "glyph.conf.example").read_text(), re.MULTILINE):
            self.assertIn(f"--{name} ", known)


class Container(unittest.TestCase):
    def test_it_is_built_from_the_packages_that_the_build_needs(self):
        def words(text):
            return set(re.sub(r"#.*", "", text).replace("\\", " ").split())

        setup = (harness.ROOT / "tools" / "setup.sh").read_text()
        recipe = (PACKAGING / "Dockerfile").read_text()
        needed = words(re.search(r"^build_packages=\((.*?)^\)", setup, re.DOTALL | re.MULTILINE)[1])
        build, ships = re.findall(r"--no-install-recommends(.*?)(?=^RUN|^COPY|&&)", recipe, re.DOTALL | re.MULTILINE)
        for data in ("fonts-dejavu-core", "fonts-noto-cjk", "poppler-data"):  # read when it runs, not when it is built
            self.assertIn(data, words(ships))
            needed.discard(data)
        self.assertEqual(words(build), needed)


class Manual(unittest.TestCase):
    def test_manual_and_completions_are_what_the_help_says(self):
        done = run(sys.executable, "-B", PACKAGING / "generate.py", harness.GLYPH, "--check")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_mandoc_finds_nothing_wrong(self):
        done = run("mandoc", "-T", "lint", "-W", "warning", PACKAGING / "glyph.1")
        self.assertEqual(done.stdout, "")


class Completions(unittest.TestCase):
    def bash(self, *words):
        script = f"source {PACKAGING}/completions/glyph.bash; compopt() {{ echo \"option $2\"; }}; " \
                 f"COMP_WORDS=({' '.join(words)}); [[ ${{#COMP_WORDS[@]}} -gt 0 ]]; COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _glyph; " \
                 "printf '%s\\n' \"${COMPREPLY[@]}\""
        done = run("bash", "-c", script)
        self.assertEqual(done.stderr, "")
        return [line for line in done.stdout.splitlines() if line]

    def fish(self, line):
        done = run("fish", "--no-config", "-c", f"source {PACKAGING}/completions/glyph.fish; complete -C'{line}'")
        self.assertEqual(done.stderr, "")
        return [found.split("\t")[0] for found in done.stdout.splitlines()]

    def test_bash(self):
        self.assertEqual(self.bash("glyph", "se"), ["serve"])
        self.assertEqual(self.bash("glyph", "serve", "--pro"), ["--profile"])
        self.assertEqual(self.bash("glyph", "serve", "--profile", "''"), ["single", "batch", "api"])
        self.assertEqual(self.bash("glyph", "ask", "--precision", "f"), ["fp32", "fp16", "fp8"])
        self.assertEqual(self.bash("glyph", "bench", "r"), ["render"])
        self.assertEqual(self.bash("glyph", "ask", "-m", "x"), ["option dirnames"])
        self.assertEqual(self.bash("glyph", "ask", "re"), ["option default"])
        self.assertEqual(self.bash("glyph", "--log-level", "warning", "doctor", "--js"), ["--json"])

    def test_fish(self):
        self.assertEqual(self.fish("glyph se"), ["serve"])
        self.assertEqual(self.fish("glyph serve --prof"), ["--profile"])
        self.assertEqual(self.fish("glyph serve --profile "), ["api", "batch", "single"])
        self.assertEqual(self.fish("glyph bench r"), ["render"])

    def test_zsh(self):
        """Its completions, as the terminal of an interactive shell shows them."""
        done = run("zsh", "-f", Path(__file__).with_name("complete.zsh"), PACKAGING / "completions", "glyph serve --prof", "glyph bench ",
                   "glyph serve --profile ")
        self.assertEqual(done.stderr, "")
        profile, bench, profiles = done.stdout.split("\f")[:3]
        self.assertIn("--profile", profile)
        for word in ("render", "ops", "e2e"):
            self.assertIn(word, bench)
        for word in ("single", "batch", "api"):
            self.assertIn(word, profiles)


if __name__ == "__main__":
    unittest.main()
