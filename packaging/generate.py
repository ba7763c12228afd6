#!/usr/bin/env python3
"""Writes the shell completions and the manual page from what the program's help says, so that none of them can drift.

usage: packaging/generate.py GLYPH [--check]

GLYPH is the built program. --check writes nothing and ends with 1 when a committed file differs from what would be written.
The prose of the manual stands in glyph.1.in; the options take the place of its line @OPTIONS@.
"""
import sys
from pathlib import Path

import manual_options
import program_help
import shell_completions

HERE = Path(__file__).resolve().parent


def manual(program):
    prose = (HERE / "glyph.1.in").read_text()
    return prose.replace("@OPTIONS@", "\n".join(manual_options.options(program)))


def main():
    program = program_help.read_program(sys.argv[1])
    files = {"completions/glyph.bash": shell_completions.bash(program), "completions/_glyph": shell_completions.zsh(program),
             "completions/glyph.fish": shell_completions.fish(program), "glyph.1": manual(program)}
    if "--check" not in sys.argv:
        for name, text in files.items():
            (HERE / name).write_text(text)
        return 0
    stale = [name for name, text in files.items() if not (HERE / name).exists() or (HERE / name).read_text() != text]
    for name in stale:
        print(f"packaging/{name} differs from the program's help: run packaging/generate.py GLYPH", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
