"""Builds the documents of the evaluation: whole pages, haystacks with needles, pages to quote from. All from a random.Random."""

import random
import re
from dataclasses import dataclass

import layout
from sources import Sources

ADJECTIVES = (
    "amber brisk cobalt dapper earnest feral gaunt hollow idle jaunty keen limber mellow nimble oblong placid quaint rustic "
    "sullen tawny uneven velvet wistful yearly zesty ashen brittle candid dusky elastic frosty giddy humble ivory jolly knotty "
    "lavish murky narrow opaque pensive quiet rugged silken tender upright vivid woolly youthful austere balmy crooked damp"
).split()
NOUNS = (
    "anvil badger candle dormouse easel ferret gondola harness inkwell jetty kennel lantern meadow nettle orchard pebble "
    "quarry rudder saddle thimble urn violin walnut xylophone yoke zither acorn bellows cactus dagger elbow falcon gherkin "
    "hinge icicle juniper kettle ladle magpie noodle oyster pulley quiver raft spindle turnip umbrella vinegar whistle yarn"
).split()
NEEDLE = "One of the special magic numbers for {key} is: {value}."
NUM_WRONG_NEEDLES = 3
PUNCTUATION = ".,;:!?()[]{}<>'\" "
SAFE_LINE_PT = 540.0  # a source line up to this width is one drawn line for certain
PAGE_LINES = layout.LINES_PER_PAGE - 1  # one line is left free, so that a page never runs over by a rounding


@dataclass
class Needles:
    """A haystack with its needles."""

    text: str
    key: str
    value: str
    wrong: list[str]  # values of the wrong needles


def typographic(text: str) -> str:
    """The same text with curly quotes and dashes, as a word processor sets it."""
    text = re.sub(r"(^|[\s(\[{<=])\"", "\\1\u201c", text)
    text = re.sub(r"(^|[\s(\[{<=\u201c])'", "\\1\u2018", text)
    text = text.replace('"', "\u201d").replace("'", "\u2019")
    return re.sub(r"(?<=\d)-(?=\d)", "\u2013", text)


def record_lines(draw: random.Random, num: int) -> str:
    """A table of unpredictable codes, names, dates and amounts: guessing does not pay."""
    lines = []
    for _ in range(num):
        code = "".join(draw.choice("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789") for _ in range(8))
        name = "".join(draw.choice("bcdfghjklmnprstvwz") + draw.choice("aeiou") for _ in range(draw.randint(2, 4))).capitalize()
        amount = f"{draw.randint(1, 99999):,}.{draw.randint(0, 99):02d}"
        date = f"{draw.randint(1, 28):02d}.{draw.randint(1, 12):02d}.{draw.randint(1950, 2049)}"
        lines.append(f"{code[:3]}-{code[3:]}  {date}  {name} {draw.choice(NOUNS).capitalize()}, {draw.choice(ADJECTIVES)}  {amount}")
    return "\n".join(lines)


def fill(parts: list[str], num_lines: int, separator: str) -> str:
    """The parts one after another until the next would go past num_lines drawn lines; parts that do not fit are skipped."""
    text, used, gap = "", 0, separator.count("\n") - 1
    for part in parts:
        lines = layout.num_lines(part) + (gap if text else 0)
        if used + lines > num_lines:
            continue
        text += (separator if text else "") + part
        used += lines
    return text


def shuffled(draw: random.Random, items: list[str]) -> list[str]:
    return draw.sample(items, len(items))


def prose_page(sources: Sources, draw: random.Random) -> str:
    """A full page of running prose, paragraph under paragraph without blank lines, from about 7,500 characters on."""
    return fill(shuffled(draw, sources.paragraphs), PAGE_LINES, "\n")


def mixed_page(sources: Sources, draw: random.Random) -> str:
    """Prose, dialogue, tables, lists, addresses, code, facts' documents and records, separated by blank lines."""
    document = draw.choice(sources.facts)["text"].strip("\n")
    paragraphs = [part for part in shuffled(draw, sources.paragraphs) if part not in document]
    special = [*draw.sample(sources.blocks, 4), document, record_lines(draw, 6), *paragraphs[:3]]
    return fill(shuffled(draw, special) + paragraphs[3:], PAGE_LINES, "\n\n")


def sentence_page(sources: Sources, draw: random.Random, num_lines: int = PAGE_LINES) -> str:
    """Shuffled sentences in paragraphs of four to nine."""
    return "\n".join(_sentence_paragraphs(sources, draw, num_lines))


def _sentence_paragraphs(sources: Sources, draw: random.Random, num_lines: int) -> list[str]:
    paragraphs, used, stock = [], 0, []
    while True:
        size = draw.randint(4, 9)
        if len(stock) < size:
            stock = stock + shuffled(draw, sources.sentences)
        paragraph, stock = " ".join(stock[:size]), stock[size:]
        used += len(layout.wrap(paragraph))
        if used > num_lines:
            return paragraphs
        paragraphs.append(paragraph)


def make_keys(draw: random.Random) -> tuple[str, list[str]]:
    """The right key and the wrong ones, the first of which shares its adjective or its noun with the right one."""
    adjectives = draw.sample(ADJECTIVES, NUM_WRONG_NEEDLES + 1)
    nouns = draw.sample(NOUNS, NUM_WRONG_NEEDLES + 1)
    if draw.random() < 0.5:
        adjectives[1] = adjectives[0]
    else:
        nouns[1] = nouns[0]
    keys = [f"{adjective}-{noun}" for adjective, noun in zip(adjectives, nouns)]
    return keys[0], keys[1:]


def needle_document(sources: Sources, draw: random.Random, num_pages: int) -> Needles:
    """A haystack of num_pages full pages; the needles stand between its sentences at random depths."""
    num_lines = num_pages * layout.LINES_PER_PAGE - 3 - 2 * (NUM_WRONG_NEEDLES + 1)  # a needle adds at most two lines
    paragraphs = [part.split(". ") for part in _sentence_paragraphs(sources, draw, num_lines)]
    key, wrong_keys = make_keys(draw)
    value, *wrong = (str(number) for number in draw.sample(range(1_000_000, 10_000_000), NUM_WRONG_NEEDLES + 1))
    for needle_key, needle_value in zip([key, *wrong_keys], [value, *wrong]):
        sentence = NEEDLE.format(key=needle_key, value=needle_value)
        paragraph = draw.choice(paragraphs)
        paragraph.insert(draw.randrange(len(paragraph)), sentence.removesuffix("."))
    return Needles("\n".join(". ".join(paragraph) for paragraph in paragraphs), key, value, wrong)


@dataclass
class Quote:
    """A page and the one unit of it (sentence or drawn line) that contains the given words."""

    page: str
    text: str
    words: str  # three to five: in one piece ("phrase") or parted by commas ("words")
    kind: str


def _phrase(draw: random.Random, unit: str) -> str | None:
    """Three to five words of a unit as they stand, without punctuation at the ends."""
    words = unit.split()
    size = draw.randint(3, 5)
    if len(words) < size + 1:
        return None
    start = draw.randrange(len(words) - size + 1)
    phrase = " ".join(words[start : start + size]).strip(PUNCTUATION)
    return phrase if len(phrase) >= 12 and '"' not in phrase else None


def _words(draw: random.Random, unit: str) -> list[str] | None:
    """Three to five words of at least four characters of a unit, in its order."""
    words = list(dict.fromkeys(word for word in re.findall(r"[A-Za-z0-9]+", unit) if len(word) >= 4))
    if len(words) < 5:
        return None
    return [words[i] for i in sorted(draw.sample(range(len(words)), draw.randint(3, 5)))]


def _pick_quote(draw: random.Random, page: str, candidates: list[str], units: list[str]) -> Quote:
    """A quote among the candidates whose words no other unit of the page contains."""
    kind = draw.choice(("phrase", "words"))
    tokens = [set(re.findall(r"[A-Za-z0-9]+", unit)) for unit in units]
    folded = " ".join(page.split())
    for unit in shuffled(draw, candidates):
        if kind == "phrase":
            phrase = _phrase(draw, unit)
            if phrase is not None and folded.count(phrase) == 1:
                return Quote(page, unit, phrase, kind)
        else:
            words = _words(draw, unit)
            if words is not None and sum(token.issuperset(words) for token in tokens) == 1:
                return Quote(page, unit, ", ".join(words), kind)
    raise ValueError("no unit of the page has words of its own")


def quote_sentence(sources: Sources, draw: random.Random) -> Quote:
    """Asks for a sentence of a page of shuffled sentences."""
    page = sentence_page(sources, draw)
    sentences = [part for line in page.split("\n") for part in re.split(r"(?<=\.) ", line)]
    return _pick_quote(draw, page, sentences, sentences)


def quote_line(sources: Sources, draw: random.Random) -> Quote:
    """Asks for a line of a page of short source lines, each of which is one drawn line."""
    lines: list[str] = []
    for part in shuffled(draw, sources.blocks + sources.paragraphs):
        width = draw.choice((330.0, 400.0, 470.0))
        for line in part.split("\n"):
            lines += layout.wrap(line, width) if layout.width_pt(line) > SAFE_LINE_PT else [line]
    lines = lines[:PAGE_LINES]
    return _pick_quote(draw, "\n".join(lines), [line for line in lines if len(line) >= 40], lines)
