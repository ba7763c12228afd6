"""The words that fill patterns and wordings, read from the text files of this folder."""
import re
from pathlib import Path

DATA = Path(__file__).resolve().parent


def read_sections(name):
    """Maps each [section] of facts/<name> to its lines; comments and blank lines are dropped."""
    sections, lines = {}, []
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        head = re.fullmatch(r"\[([\w.]+)\](.*)", line)
        if head:
            lines = sections.setdefault(head.group(1), [])
            line = head.group(2).strip()
        if line:
            lines.append(line)
    return sections


def read_pools(name, separator=r",\s+(?!$)"):
    return {key: list(dict.fromkeys(word.strip() for line in lines for word in re.split(separator, line.rstrip(","))))
            for key, lines in read_sections(name).items()}


def pick(items, rng):
    return items[int(rng.random() * len(items))]


def pool(name):
    items = POOLS[name]
    return lambda rng: items[int(rng.random() * len(items))]


def read_openings():
    """The openings of sentences; a doubled comma parts them, since each ends with a comma."""
    return [word + "," for line in read_sections("filler_pools.txt")["open"] for word in line.rstrip(",").split(",, ")]


POOLS = {**read_pools("pools.txt"), **read_pools("filler_pools.txt"), "open": read_openings()}
POOLS["first"] = POOLS["woman"] + POOLS["man"]
