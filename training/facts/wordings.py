"""Wordings with fields, apart by split.

A wording is held out when crc32(wording) % 100 < HELD_OUT_PERCENT; the smallest hash is held out where a pool would
otherwise have none. A wording that stands twice in its pool (the plainest one) always trains.
"""
import re
import zlib

from .pools import pick

HELD_OUT_PERCENT = 15
SPLITS = {"train": set(), "held": set()}


class Wordings:
    """The wordings of one pool, apart by split. `needs` are the fields of each wording."""

    def __init__(self, lines):
        plain = {line for line in lines if lines.count(line) > 1}
        held = {line for line in lines if line not in plain and zlib.crc32(line.encode()) % 100 < HELD_OUT_PERCENT}
        SPLITS["train"] |= plain
        SPLITS["held"] |= held
        self.lines, self.train, self.held = [(line, tuple(dict.fromkeys(re.findall(r"\{(\w+)\}", line)))) for line in lines], [], []

    def force(self):
        """Holds out the smallest hash where none is held out and at least three wordings are there."""
        lines = [line for line, _ in self.lines if line not in SPLITS["train"]]
        if len(lines) > 2 and not any(line in SPLITS["held"] for line in lines):
            SPLITS["held"].add(min(lines, key=lambda line: zlib.crc32(line.encode())))

    def divide(self):
        held = SPLITS["held"] - SPLITS["train"]
        self.train = [item for item in self.lines if item[0] not in held]
        self.held = [item for item in self.lines if item[0] in held]

    def only(self, test):
        """The pool of the wordings whose fields pass `test`; call before divide()."""
        return Wordings([line for line, needs in self.lines if test(needs)])

    def pick(self, rng, held):
        return pick((self.held if held else self.train) or self.train or self.held, rng)
