"""Filler: prose, headings, list items and table rows that answer no question."""
import re

from .grammar import cap, finish
from .patterns import compile_pattern, expand
from .pools import pick, read_sections

PATTERNS = {name: [compile_pattern(re.sub(r"\b[Aa] \{", "{an} {", line)) for line in lines]
            for name, lines in read_sections("filler.txt").items()}


def filler_sentence(rng):
    """A sentence that answers no question."""
    return finish(expand(pick(PATTERNS["sentence"], rng), rng))


def filler_paragraph(rng):
    return " ".join([filler_sentence(rng) for _ in range(2 + int(rng.random() * 6))])


def heading(rng):
    return finish(expand(pick(PATTERNS["heading"], rng), rng))


def list_item(rng):
    text = expand(pick(PATTERNS["item"], rng), rng)
    return cap(text) if rng.random() < 0.5 else text


def table_row(rng):
    """Cells separated by ' | '."""
    text = expand(pick(PATTERNS["row"], rng), rng)
    return cap(text) if rng.random() < 0.5 else text
