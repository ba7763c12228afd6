"""Ctrl-C: exit 130, no process and no file left. And the progress line, which wants a terminal."""
import os
import pty
import select
import signal
import time
import unittest

import documents
from harness import GlyphTest, session_members, text_of_lines

WIDE = "window=100000000"


class Interrupt(GlyphTest):
    def setUp(self):
        super().setUp()
        self.model = self.tiny_model(WIDE)

    def interrupt(self, *args, after, signal_number=signal.SIGINT):
        """Starts glyph, waits until `after` says so, sends the signal, and checks that nothing is left."""
        before = self.files()
        process = self.start(*args)
        end = time.monotonic() + 60
        while not after(process) and time.monotonic() < end:
            self.assertIsNone(process.poll(), "ended before it could be interrupted")
            time.sleep(0.01)
        os.killpg(process.pid, signal_number)
        sent = time.monotonic()
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertLess(time.monotonic() - sent, 5)
        self.assert_session_gone(process.pid)
        self.assertEqual(self.files(), before)
        return out, err

    def test_ask(self):
        self.write("long.txt", text_of_lines(100000))
        for number in (signal.SIGINT, signal.SIGTERM):
            started = time.monotonic()
            out, err = self.interrupt("ask", "long.txt", "What?", after=lambda _: time.monotonic() - started > 1, signal_number=number)
            self.assertEqual(out, b"")
            started = time.monotonic()

    def test_ask_json_prints_nothing(self):
        self.write("long.txt", text_of_lines(100000))
        started = time.monotonic()
        out, _ = self.interrupt("ask", "--json", "long.txt", "What?", after=lambda _: time.monotonic() - started > 1)
        self.assertEqual(out, b"")

    def test_while_a_pdf_is_read(self):
        self.write("long.pdf", documents.pdf([f"Page {i} of a long report." for i in range(9000)]))
        self.interrupt("extract", "long.pdf", after=lambda p: len(session_members(p.pid)) > 1)

    def test_render_leaves_no_folder(self):
        self.write("long.txt", text_of_lines(100000))
        started = time.monotonic()
        self.interrupt("render", "long.txt", "-o", "pages", after=lambda _: time.monotonic() - started > 0.3 and any(
            f.startswith("work/.glyph-") for f in self.files()))

    def test_a_second_signal_ends_at_once(self):
        self.write("long.txt", text_of_lines(100000))
        process = self.start("ask", "long.txt", "What?")
        time.sleep(0.5)
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        process.communicate(timeout=10)
        self.assertEqual(process.returncode, 130)


class Progress(GlyphTest):
    def terminal_output(self, *args):
        """What appears on a terminal that is stderr."""
        leader, follower = pty.openpty()
        process = self.start(*args, stderr=follower)
        os.close(follower)
        seen = b""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if not select.select([leader], [], [], 0.1)[0]:
                if process.poll() is not None:
                    break
                continue
            try:
                chunk = os.read(leader, 65536)
            except OSError:
                break
            seen += chunk
            if b"encoded" in seen and b"\r\033[K" in seen and process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        os.close(leader)
        return seen

    def test_shown_on_a_terminal_and_cleared(self):
        self.model = self.tiny_model(WIDE)
        self.write("long.txt", text_of_lines(100000))
        seen = self.terminal_output("ask", "long.txt", "What?")
        self.assertRegex(seen, rb"pages: \d+ drawn, \d+ encoded")
        self.assertTrue(seen.rstrip(b"\r\n").endswith(b"\r\033[K"), seen[-200:])

    def test_nothing_for_what_is_quick(self):
        self.write("short.txt", "text\n")
        self.assertNotIn(b"drawn", self.terminal_output("ask", "short.txt", "What?", "--max-tokens", "2"))


if __name__ == "__main__":
    unittest.main()
