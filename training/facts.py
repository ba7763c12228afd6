"""Invented facts, questions about them and filler prose for training glyph-mini.

A fact is a sentence as it stands in a document, with questions whose answers are exact substrings of it. Four
engines make facts: verbs ("Who approved the budget?"), attributes of entities (one or several a sentence) and
lists; two facts can share a sentence; needles are apart. All wordings and words lie in facts/*.txt, whose headers
say how they are written.

Held-out wordings: a wording is held out when crc32(wording) % 100 < HELD_OUT_PERCENT; the smallest hash is held
out where a pool would otherwise have none. A wording that stands twice in its pool (the plainest one) always
trains. With split='heldout' every question has a held-out wording and about half of the statements have one;
split='train' never uses one. Every function is deterministic for a given state of `rng`.
"""
import argparse
import random
import re
import time
import zlib
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

DATA = Path(__file__).resolve().parent / "facts"
HELD_OUT_PERCENT = 15


@dataclass
class Fact:
    """One stated fact.

    statement: one or two sentences (or a "Key: value" line, or a table row with ' | ') as they stand in a document.
    qa: (question, answer) pairs; each answer is a substring of the statement.
    subject: the entity or object that the fact is about; kind: 'verb.<base>', '<kind>.<relation>', 'list.<x>', 'needle'.
    keys: (relation family, entity) pairs of which a document may hold only one each.
    source: what absent_questions and make_facts vary.
    """
    statement: str
    qa: list
    subject: str
    kind: str
    keys: list = field(default_factory=list, repr=False)
    source: tuple = field(default=(), repr=False)

    def __getstate__(self):
        """Facts can be pickled, without their source."""
        return {**self.__dict__, "source": ()}


# ---- Reading the data files ---------------------------------------------------------------------------------

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


POOLS = read_pools("pools.txt")
OPENINGS = [word + "," for line in read_sections("filler_pools.txt")["open"] for word in line.rstrip(",").split(",, ")]
POOLS.update(read_pools("filler_pools.txt"))
POOLS["open"] = OPENINGS
FRAMES = read_sections("frames.txt")
NEEDLES = read_sections("needles.txt")
FILLER = read_sections("filler.txt")


# ---- Values -------------------------------------------------------------------------------------------------

def pick(items, rng):
    return items[int(rng.random() * len(items))]


def between(low, high, rng):
    """A whole number in [low, high], small ones more likely where the range is wide."""
    if high < 60 * low + 60 or rng.random() < 0.4:
        return low + int(rng.random() * (high - low + 1))
    return int(low * ((high + 1) / low) ** rng.random())


def with_commas(number, rng):
    return f"{number:,}" if number >= 1000 and rng.random() < (0.75 if number >= 10000 else 0.5) else str(number)


def article(text):
    """'a' or 'an', by the sound that `text` begins with."""
    word = text.lstrip('"').lower()
    if word[:1] in "aeiou":
        return "a" if re.match(r"(u[nst]i|use|usu|eu|one\b|once)", word) and not word.startswith("unu") and \
            not re.match(r"un(in|im|is[^o])", word) else "an"
    return "an" if re.match(r"(hour|honest|honou?r|heir|8|11\b|18\b)", word) else "a"


MONTHS = ("January February March April May June July August September October November December").split()
ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen").split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = ("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
            "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth").split()


def in_words(number):
    if number < 20:
        return ONES[number]
    return TENS[number // 10] + ("-" + ONES[number % 10] if number % 10 else "")


def number_or_word(low, high, rng):
    number = between(low, high, rng)
    return in_words(number) if number < 100 and rng.random() < (0.5 if number <= 20 else 0.2) else str(number)


def ordinal(number):
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


DAY_STYLES = [
    lambda d, y, m, n: f"{d} {m} {y}", lambda d, y, m, n: f"{d} {m} {y}", lambda d, y, m, n: f"{m} {d}, {y}",
    lambda d, y, m, n: f"{m} {d}, {y}", lambda d, y, m, n: f"{ordinal(d)} {m} {y}", lambda d, y, m, n: f"the {ordinal(d)} of {m} {y}",
    lambda d, y, m, n: f"{y}-{n:02}-{d:02}", lambda d, y, m, n: f"{d:02}.{n:02}.{y}", lambda d, y, m, n: f"{d}/{n}/{y}",
    lambda d, y, m, n: f"{d} {m[:3]} {y}", lambda d, y, m, n: f"{d} {m}", lambda d, y, m, n: f"{m} {d}",
    lambda d, y, m, n: f"{date(y, n, d):%A}, {d} {m} {y}", lambda d, y, m, n: f"{date(y, n, d):%A}, {m} {d}",
    lambda d, y, m, n: f"{date(y, n, d):%A} {d} {m}", lambda d, y, m, n: f"{d:02}-{m[:3]}-{y}"]


def year_between(low, high, rng):
    """A year in [low, high], late ones more likely."""
    return low + int((high - low + 1) * rng.random() ** 0.5)


def day(rng, low=1880, high=2026):
    number = 1 + int(rng.random() * 12)
    year = year_between(low, high, rng)
    return pick(DAY_STYLES, rng)(1 + int(rng.random() * 28), year, MONTHS[number - 1], number)


def dated(rng, future):
    """(preposition, text, kind): a day, a month or a year."""
    low, high = (2027, 2049) if future else (1880, 2026)
    chance = rng.random()
    if chance < 0.72:
        return "on", day(rng, low, high), "day"
    year = year_between(low, high, rng)
    if chance < 0.86:
        return "in", f"{pick(MONTHS, rng)} {year}", "month"
    return "in", str(year), "year"


def clock(rng):
    hour, minute, chance = int(rng.random() * 24), 5 * int(rng.random() * 12), rng.random()
    if chance < 0.35:
        return f"{hour:02}:{int(rng.random() * 60):02}"
    half, hour12 = ("a.m.", "p.m.")[hour // 12], (hour - 1) % 12 + 1
    if chance < 0.6:
        return f"{hour12}:{minute:02} {half}"
    if chance < 0.7:
        return f"{hour12} {half}"
    if chance < 0.8:
        return f"{hour}.{minute:02}"
    if chance < 0.9:
        return f"{pick(('half past', 'a quarter past', 'a quarter to', 'ten past', 'twenty to', 'five to'), rng)} {ONES[hour12]}"
    return f"{hour12} o'clock"


UNITS = {"short": ("minutes", "minutes", "hours"), "long": ("days", "weeks", "months", "years")}


def duration(span, rng):
    count, unit = 2 + int(rng.random() * 58), pick(UNITS[span], rng)
    if rng.random() < 0.12:
        return f"{in_words(1 + count % 9)} and a half {unit}" if count % 9 else f"an hour and {in_words(5 + count)} minutes"
    return f"{in_words(count) if count < 21 and rng.random() < 0.6 else count} {unit}"


CURRENCIES = ["{}", "€{}", "${}", "£{}", "{} euros", "{} dollars", "{} crowns", "{} francs", "EUR {}", "USD {}", "CHF {}", "{} pounds",
              "GBP {}", "{} yen", "{} rupees", "{} €", "{} kroner", "{} pesos"][1:]


def weekdays(rng):
    first = int(rng.random() * 7)
    if rng.random() < 0.5:
        return POOLS["weekday"][first]
    second = (first + 1 + int(rng.random() * 6)) % 7
    return f"{POOLS['weekday'][min(first, second)]} and {POOLS['weekday'][max(first, second)]}"


def money(rng, low=40, high=900000):
    chance = rng.random()
    if chance < 0.15 and high > 10000:
        amount = f"{1 + int(rng.random() * 890) / 10:g} {pick(('million', 'million', 'billion'), rng)}"
    elif chance < 0.35:
        amount = f"{int(low * (high / low) ** rng.random()):,}.{int(rng.random() * 100):02}"
    else:
        amount = with_commas(between(low, high, rng), rng)
    return pick(CURRENCIES, rng).format(amount)


def percent(rng):
    number = 1 + int(rng.random() * 98)
    tenths = f"{number}.{int(rng.random() * 10)}%"
    return pick((f"{number}%", f"{number} %", f"{number} percent", tenths, f"{in_words(number)} per cent"), rng)


def letters(count, rng):
    return "".join(pick("ABCDEFGHJKLMNPRSTUVWXYZ", rng) for _ in range(count))


def digits(count, rng):
    return str(int((1 + 9 * rng.random()) * 10 ** (count - 1)))


def phone(rng):
    style = pick(("0{} {}", "+{2} {0} {1}", "{}-{}", "0{}/{}", "({}) {}"), rng)
    return style.format(digits(3, rng), digits(pick((4, 5, 6), rng), rng), digits(2, rng))


def syllables(rng):
    """A made-up name such as Velmora."""
    middle = pick(POOLS["syb"], rng) if rng.random() < 0.45 else ""
    return pick(POOLS["sya"], rng) + middle + pick(POOLS["syc"], rng)


def surname(rng):
    chance = rng.random()
    if chance < 0.66:
        return pick(POOLS["last"], rng)
    if chance < 0.94:
        return pick(POOLS["sya"], rng) + (pick(POOLS["syb"], rng) if rng.random() < 0.3 else "") + pick(POOLS["sys"], rng)
    return f"{pick(POOLS['last'], rng)}-{pick(POOLS['last'], rng)}"


def forename(rng):
    if rng.random() < 0.85:
        return pick(POOLS["first"], rng)
    return pick(POOLS["sya"], rng) + pick(("a", "o", "ina", "ia", "us", "ette", "ik", "an", "elle", "or", "isa", "im"), rng)


def place_name(rng):
    return pick(POOLS["city"], rng) if rng.random() < 0.5 else syllables(rng)


def cap(text):
    return text[:1].upper() + text[1:]


def title_case(text):
    return "-".join(part.capitalize() for part in text.split("-"))


def two_words(rng):
    return f"{title_case(pick(POOLS['adj'], rng))} {title_case(pick(POOLS['noun'], rng))}"


def email(rng):
    ending = pick(("org", "net", "com", "eu"), rng)
    return f"{pick(POOLS['noun'], rng)}.{pick(POOLS['sya'], rng).lower()}@{syllables(rng).lower()}.{ending}"


def pool(name):
    items = POOLS[name]
    return lambda rng: items[int(rng.random() * len(items))]


# Makers of pattern fields, from the field's arguments.
FIELDS = {
    "person": lambda: lambda rng: make_entity("person", rng).text, "company": lambda: lambda rng: make_entity("company", rng).text,
    "team2": lambda: lambda rng: make_entity("team", rng).text, "pseudo": lambda: syllables, "last": lambda: surname,
    "first": lambda: forename, "place": lambda: place_name, "town": lambda: place_name, "date": lambda: day,
    "year": lambda: lambda rng: str(year_between(1480, 2026, rng)), "time": lambda: clock,
    "dur": lambda span="long": lambda rng: duration(span, rng),
    "money": lambda: money, "smallmoney": lambda: lambda rng: money(rng, 2, 480), "pct": lambda: percent, "phone": lambda: phone,
    "int": lambda low, high: lambda rng: with_commas(between(int(low), int(high), rng), rng),
    "numw": lambda low, high: lambda rng: number_or_word(int(low), int(high), rng),
    "dec": lambda low, high: lambda rng: f"{between(int(low), int(high), rng)}.{int(rng.random() * 10)}"
    if rng.random() < 0.6 else with_commas(between(int(low), int(high), rng), rng),
    "digits": lambda count: lambda rng: digits(int(count), rng), "upper": lambda: lambda rng: letters(1, rng),
    "ordw": lambda: lambda rng: pick(ORDINALS, rng), "an": lambda: lambda rng: "\x01",
    "seatletter": lambda: lambda rng: pick("ABCDEF", rng), "lowab": lambda: lambda rng: pick(("", "", "a", "b", "c"), rng),
    "pseudolow": lambda: lambda rng: syllables(rng).lower(), "adjcap": lambda: lambda rng: title_case(pick(POOLS["adj"], rng)),
    "nouncap": lambda: lambda rng: title_case(pick(POOLS["noun"], rng)), "topiccap": lambda: lambda rng: pick(POOLS["topic"], rng).title(),
    "unitcap": lambda: lambda rng: pick(POOLS["unitthing"], rng).title(),
    "subject": lambda: lambda rng: pick(POOLS["topic"], rng) + (f" in {place_name(rng)}" if rng.random() < 0.5 else ""),
    "uniplace": lambda: lambda rng: pick(POOLS["uni"], rng) if rng.random() < 0.4 else place_name(rng),
    "street": lambda: lambda rng: street(rng), "address": lambda: lambda rng: f"{between(1, 240, rng)} {street(rng)}",
    "days": lambda: weekdays, "email": lambda: email, "nick": lambda: lambda rng: pick(("the ", "Old ", "Little "), rng) + two_words(rng),
    "titlew": lambda: lambda rng: pick(("The ", "My ", "Every ", "Our "), rng) + two_words(rng),
    "venue": lambda: lambda rng: pick(VENUES, rng)(rng), "room": lambda: lambda rng: make_entity("room", rng).text,
    "roomname": lambda: lambda rng: make_entity("room", rng).text,
    "ip": lambda: lambda rng: ".".join(str(between(1, 254, rng)) for _ in range(4)),
    "version": lambda: lambda rng: ".".join(str(between(0, 29, rng)) for _ in range(pick((2, 3, 3), rng))),
    "medicine": lambda: lambda rng: syllables(rng) + pick(POOLS["medend"], rng),
    "dose": lambda: lambda rng: pick(("{} mg", "{} ml", "{} drops", "{} tablets", "{} micrograms"), rng).format(between(2, 900, rng)),
    "gate": lambda: lambda rng: f"{pick(POOLS['stop'], rng)} {pick(('', '', 'A', 'B', 'C', 'D'), rng)}{between(1, 60, rng)}",
    "product": lambda: pool("prodkind"), "petkind": lambda: pool("breed"),
    "townend": lambda: lambda rng: pick(("", "ton", "ville", "stad", "by", "burg", "mouth", "grad", "pur", "haven"), rng),
    "softend": lambda: lambda rng: pick(("", "soft", "DB", "Draw", "Mail", "Sync", "Edit", "OS", "Cast", "Tool", "Base"), rng),
    "insectill": lambda: lambda rng: pick(("{} fever", "{} syndrome", "{} cough", "{} disease", "{} rash"), rng).format(syllables(rng)),
}


def street(rng):
    name = pick(POOLS["street1"], rng) if rng.random() < 0.5 else syllables(rng)
    return f"{name} {pick(POOLS['street'], rng)}"


VENUES = [lambda rng: f"the {syllables(rng)} Hall", lambda rng: f"{syllables(rng)} Castle",
          lambda rng: f"{between(1, 240, rng)} {street(rng)}",
          lambda rng: make_entity("room", rng).text, lambda rng: f"the {title_case(pick(POOLS['noun'], rng))} Hotel",
          lambda rng: make_entity("building", rng).text]
SLOT = re.compile(r"\{(\w+)((?: [^}]*)?)\}")


def compile_pattern(text):
    """A pattern as (literals and field makers); a field is a name of FIELDS, else of a pool."""
    parts, end = [], 0
    for slot in SLOT.finditer(text):
        if slot.start() > end:
            parts.append(text[end:slot.start()])
        name, args = slot.group(1), slot.group(2).split()
        parts.append(FIELDS[name](*args) if name in FIELDS else pool(name))
        end = slot.end()
    if end < len(text):
        parts.append(text[end:])
    return parts


def expand(parts, rng):
    text = "".join([part if part.__class__ is str else part(rng) for part in parts])
    return re.sub("\x01 (.)", lambda m: f"{article(text[m.start() + 2:])} {m.group(1)}", text) if "\x01" in text else text


# ---- Entities -----------------------------------------------------------------------------------------------

class Entity:
    """A named thing made from a pattern, so that names that share words with it can be made too."""
    __slots__ = ("kind", "parts", "picks", "text", "prefix", "head")

    def __init__(self, kind, parts, rng, picks=None, prefix="", head=None):
        self.kind, self.parts, self.prefix, self.head = kind, parts, prefix, head
        self.picks = picks or [part if part.__class__ is str else part(rng) for part in parts]
        self.text = prefix + "".join(self.picks)

    @property
    def bare(self):
        """The name without a title."""
        return "".join(self.picks)

    def near(self, rng):
        """Another entity that shares all words but one slot, or one slot only."""
        slots = [i for i, part in enumerate(self.parts) if part.__class__ is not str]
        changed = [pick(slots, rng)] if len(slots) < 3 or rng.random() < 0.6 else slots[:]
        if len(changed) > 1:
            changed.remove(pick(changed, rng))
        for _ in range(6):
            picks = list(self.picks)
            for i in changed:
                picks[i] = near_number(picks[i], rng) if picks[i].isdigit() and rng.random() < 0.6 else self.parts[i](rng)
            if picks != self.picks:
                return Entity(self.kind, self.parts, rng, picks, self.prefix, self.head)
        return make_entity(self.kind, rng) if self.kind in ENTITY else self

    def short(self):
        """A shorter name that people use: the surname, or an object without what follows (else precedes) its noun."""
        if self.kind == "person":
            return self.prefix + self.picks[-1]
        if self.head is None:
            return self.bare
        return "".join(self.picks[:self.head + 1]) if self.head + 1 < len(self.picks) else "the " + self.picks[self.head]


def near_number(text, rng):
    i = 1 + int(rng.random() * (len(text) - 1)) if len(text) > 1 else 0
    return text[:i] + pick("123456789", rng) + text[i + 1:]


ENTITY = {}  # The patterns of each kind, from relations.txt.


def make_entity(kind, rng):
    prefix = pick(POOLS["title"], rng) + " " if kind == "person" and rng.random() < 0.12 else ""
    return Entity(kind, pick(ENTITY[kind], rng), rng, None, prefix)


# ---- Wordings -----------------------------------------------------------------------------------------------

WORDINGS = {"train": set(), "held": set()}


class Wordings:
    """The wordings of one pool, apart by split. `needs` are the fields of each wording."""

    def __init__(self, lines):
        plain = {line for line in lines if lines.count(line) > 1}
        held = {line for line in lines if line not in plain and zlib.crc32(line.encode()) % 100 < HELD_OUT_PERCENT}
        WORDINGS["train"] |= plain
        WORDINGS["held"] |= held
        self.lines, self.train, self.held = [(line, tuple(dict.fromkeys(re.findall(r"\{(\w+)\}", line)))) for line in lines], [], []

    def force(self):
        """Holds out the smallest hash where none is held out and at least three wordings are there."""
        lines = [line for line, _ in self.lines if line not in WORDINGS["train"]]
        if len(lines) > 2 and not any(line in WORDINGS["held"] for line in lines):
            WORDINGS["held"].add(min(lines, key=lambda line: zlib.crc32(line.encode())))

    def divide(self):
        held = WORDINGS["held"] - WORDINGS["train"]
        self.train = [item for item in self.lines if item[0] not in held]
        self.held = [item for item in self.lines if item[0] in held]

    def only(self, test):
        """The pool of the wordings whose fields pass `test`; call before divide()."""
        return Wordings([line for line, needs in self.lines if test(needs)])

    def pick(self, rng, held):
        return pick((self.held if held else self.train) or self.train or self.held, rng)


class Relation:
    """An attribute of a kind of entity, with its own wordings besides the general ones."""

    def __init__(self, kind, head):
        names, value, nouns, ask = [part.strip() for part in head.lstrip("= ").split(" | ")]
        self.name, _, family = names.partition("@")
        self.kind, self.family = kind, f"{kind}.{family or self.name}"
        self.values = [compile_pattern(each) for each in value.split(" || ")]
        self.nouns = [] if nouns == "-" else nouns.split(", ")
        self.ask = ask
        self.statements = self.questions = self.years = self.inverse = None

    def add(self, line):
        lines = [text.strip().replace("{an} {v}", "{anv}") for text in line[2:].split(" ~ ")]
        if line[0] == "S":
            self.statements = Wordings(lines)
        else:
            self.questions = Wordings([text for text in lines if text[0] not in "<["])
            self.years = Wordings([text[3:] for text in lines if text.startswith("[y]")])
            self.inverse = Wordings([text[3:] for text in lines if text.startswith("<e>")])

    def value(self, rng):
        return expand(pick(self.values, rng), rng)

    def pools(self):
        return [self.statements, self.questions, self.years, self.inverse]


def read_relations():
    relations = []
    for kind, lines in read_sections("relations.txt").items():
        for line in lines:
            if line.startswith("e:"):
                ENTITY.setdefault(kind, []).extend(compile_pattern(text.strip()) for text in line[2:].split(" | "))
            elif line.startswith("="):
                relations.append(Relation(kind, line))
            else:
                relations[-1].add(line)
    return relations


class Verb:
    """A verb with its forms; `nominal` is '' where the verb has no noun of action."""

    def __init__(self, text):
        forms, _, self.nominal = text.partition(":")
        base, *given = forms.split(",")
        first, _, rest = base.partition(" ")
        past = regular_past(first)
        self.base = base
        self.past = given[0] if given else f"{past} {rest}".strip()
        self.participle = given[1] if given else self.past
        doubled = past == first + first[-1] + "ed" or first in ("dig", "win", "run", "put", "set", "shut", "cut")
        self.ing = given[2] if len(given) > 2 else f"{gerund(first, doubled)} {rest}".strip()


def regular_past(word):
    if word.endswith("e"):
        return word + "d"
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ied"
    if re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", word) or word in ("cancel", "label", "transfer"):
        return word + word[-1] + "ed"
    return word + "ed"


def gerund(word, doubled):
    if doubled:
        return word + word[-1] + "ing"
    return word[:-1] + "ing" if word.endswith("e") and not word.endswith("ee") else word + "ing"


class Cluster:
    """Verbs of one meaning with the classes of objects that they take."""

    def __init__(self, line):
        verbs, right = line.split(" > ")
        right, self.topic = right.split(" ! ")
        words = right.split()
        self.verbs = [Verb(text) for text in verbs.split("/")]
        self.name = self.verbs[0].base
        self.extras = [w.strip("+") for w in words if w.strip("+") in ("money", "why", "to")]
        self.classes = [w for w in words if w.strip("+") not in ("why", "to") and w != "+money" and w in OBJECTS]
        if "+money" not in words and "money" in self.extras:
            self.extras.remove("money")


class ObjectClass:
    """A class of objects: nouns for questions and patterns for noun phrases."""

    def __init__(self, lines):
        self.nouns = lines[0].split(", ")
        heads, mods = lines[1][2:].strip().split(", "), lines[2][2:].strip().split(", ")
        self.tails = [compile_pattern(" " + text.strip()) for text in lines[3][2:].split(" | ")]
        head, mod = (lambda rng: pick(heads, rng)), (lambda rng: pick(mods, rng) + " ")
        self.bases = [[head], [mod, head], [mod, head], [mod, head]]
        self.size = len(heads) * (len(mods) + 1)


OBJECTS = {}
OBJECTS.update({name: ObjectClass(lines) for name, lines in read_sections("objects.txt").items()})
CLUSTERS = [Cluster(line) for line in (DATA / "verbs.txt").read_text(encoding="utf-8").splitlines() if " > " in line]
BY_CLASS = {name: [c for c in CLUSTERS if name in c.classes] for name in OBJECTS}
RELATIONS = read_relations()
BY_KIND = {kind: [r for r in RELATIONS if r.kind == kind] for kind in ENTITY}
W = {name: Wordings(lines) for name, lines in list(FRAMES.items()) + list(NEEDLES.items())
     if name not in ("tail", "tail2", "dress")}
for _name in list(W):
    if _name.startswith("s."):
        W[_name + ".org"] = W[_name].only(lambda needs: "role" not in needs)
    elif _name.startswith("q.") and _name not in ("q.what", "q.future.what", "q.role", "q.count"):
        W[_name + ".noagent"] = W[_name].only(lambda needs: "a" not in needs)
for _pool in list(W.values()) + [r.questions for r in RELATIONS if not r.nouns]:
    _pool.force()
for _pool in list(W.values()) + [each for r in RELATIONS for each in r.pools()]:
    _pool.divide()


# ---- Verb facts ---------------------------------------------------------------------------------------------

PERSONAL_TOPICS = {"visit", "perform", "taste", "drive", "care", "make"}
ADJUNCTS = [(), (), ("where",), ("where",), ("when",), ("when",), ("when", "where"), ("where", "when"), ("clock", "when")]


def make_object(cluster, rng, name=None):
    """An Entity whose kind is the object class and whose text has its determiner."""
    name = name or pick(cluster.classes, rng)
    kind = OBJECTS[name]
    parts = list(pick(kind.bases, rng))
    head = len(parts)
    if head == 1 or rng.random() < 0.5:
        parts.append(tail_maker(pick(kind.tails, rng)))
    return Entity(name, ["the "] + parts, rng, head=head)


def tail_maker(tail):
    return lambda rng: expand(tail, rng)


def make_agent(cluster, rng):
    chance = rng.random()
    if chance < 0.72 or cluster.topic in PERSONAL_TOPICS:
        return make_entity("person", rng)
    return make_entity("company" if chance < 0.83 else "club" if chance < 0.92 else "office", rng)


def place_phrase(rng):
    """(preposition, place, is_town)"""
    chance = rng.random()
    if chance < 0.68:
        return "in", place_name(rng), True
    if chance < 0.84:
        return "at", pick(VENUES, rng)(rng), False
    return "in", f"{pick(POOLS['spot'], rng)} {place_name(rng)}", False


SHORT_NAMES = 0.12  # The share of facts whose questions name the object or person by a shorter name.


class Draft:
    """What a verb statement says: field texts for templates and the slots that can be asked."""

    def __init__(self, cluster, verb, agent, obj, future, rng):
        self.rng, self.future, self.slots = rng, future, {}
        self.fields = {"a": agent.text, "o": obj.text, "past": verb.past, "pp": verb.participle, "base": verb.base, "ing": verb.ing}
        self.cluster, self.verb, self.agent, self.obj = cluster, verb, agent, obj
        self.when_kind = self.is_town = None
        self.obj_name = obj.short() if rng.random() < SHORT_NAMES else obj.text
        self.agent_name = agent.short() if rng.random() < SHORT_NAMES else agent.text if rng.random() < 0.5 else agent.bare

    def when(self):
        if "when" not in self.slots:
            preposition, text, self.when_kind = dated(self.rng, self.future)
            self.slots["when"] = text
            self.when_phrase = f"{preposition} {text}"
        return self.when_phrase

    def where(self):
        if "where" not in self.slots:
            preposition, text, self.is_town = place_phrase(self.rng)
            self.slots["where"] = text
            self.where_phrase = f"{preposition} {text}"
        return self.where_phrase

    def clock(self):
        if "clock" not in self.slots:
            self.slots["clock"] = clock(self.rng)
        return "at " + self.slots["clock"]

    def adjuncts(self):
        kinds = pick(ADJUNCTS, self.rng)
        return "".join(" " + getattr(self, kind)() for kind in kinds)

    def fill(self, needs):
        """Adds the fields that a statement wording needs beyond agent, object and verb."""
        fields, slots, rng = self.fields, self.slots, self.rng
        for name in needs:
            if name in ("on", "On", "date"):
                fields["on"] = self.when()
                fields["On"], fields["date"] = cap(fields["on"]), slots["when"]
            elif name in ("in", "In", "place"):
                fields["in"] = self.where()
                fields["In"], fields["place"] = cap(fields["in"]), slots["where"]
            elif name == "adj":
                continue
            elif name == "at":
                fields["at"] = self.clock()[3:]
            elif name == "role":
                slots["role"] = fields["role"] = pick(POOLS["job"], rng)
            elif name == "why":
                slots["why"] = fields["why"] = pick(POOLS["cause"], rng)
            elif name == "to":
                slots["to"] = fields["to"] = make_entity("person" if rng.random() < 0.6 else pick(("company", "club"), rng), rng).text
            elif name == "m":
                slots["money"] = fields["m"] = money(rng)
            elif name == "n":
                slots["count"] = fields["n"] = number_or_word(2, 4000, rng)
            elif name == "plural":
                fields["plural"] = pick(POOLS["plural"], rng)
            elif name == "tail":
                fields["tail"] = pick(FRAMES["tail"], rng)
            elif name == "nom":
                fields["nom"] = self.verb.nominal
        if "adj" in needs:
            fields["adj"] = "" if "date" in needs or "on" in needs or "On" in needs else self.adjuncts()


def verb_style(cluster, verb, rng):
    styles = ["past"] * 11 + ["noagent", "future"] + [extra for extra in cluster.extras for _ in range(3)]
    if verb.nominal:
        styles += ["nominal", "nominal"]
    if "thing" in cluster.classes:
        styles.append("count")
    return pick(styles, rng)


def verb_fact(rng, split, cluster=None, obj=None, agent=None):
    cluster = cluster or pick(CLUSTERS, rng)
    verb = pick(cluster.verbs, rng)
    agent, style = agent or make_agent(cluster, rng), verb_style(cluster, verb, rng)
    if obj is not None and style == "count":
        style = "past"
    obj = obj or make_object(cluster, rng)
    draft = Draft(cluster, verb, agent, obj, style == "future", rng)
    name = f"s.{style}" if agent.kind == "person" else f"s.{style}.org"
    wording, needs = W[name].pick(rng, split == "heldout" and rng.random() < 0.5)
    draft.fill(needs)
    if "{a}" in wording:
        draft.slots["who"] = agent.text
        if style != "count":
            draft.slots["what"] = obj.text
    statement = finish(wording.format_map(draft.fields))
    qa = [(verb_question(draft, slot, split, rng), in_text(verb_answer(draft, slot), statement)) for slot in choose(draft.slots, rng)]
    keys = [(f"vo.{cluster.name}", draft.fields["plural"] if style == "count" else draft.obj_name),
            (f"va.{cluster.name}", draft.agent_name)]
    if "role" in draft.slots:
        keys.append(("person.profession", draft.agent_name))
    return Fact(statement, qa, obj.text, f"verb.{cluster.name}", keys, ("verb", draft, style))


def choose(slots, rng):
    """Up to three slots to ask about; 'year', 'month' and 'city' follow from the others in verb_question."""
    names = list(slots)
    rng.shuffle(names)
    return names[:3]


def verb_answer(draft, slot):
    return draft.asked if slot == "when" else draft.slots[slot]


def when_question(draft, text):
    """The pool for a question about the date, and its answer into draft.asked."""
    draft.asked, rng = text, draft.rng
    year = re.search(r"\d{4}", text)
    if year and draft.when_kind != "year" and not draft.future and rng.random() < 0.2:
        draft.asked = year.group()
        return "q.year"
    month = next((m for m in MONTHS if m in text), None)
    if month and not draft.future and rng.random() < 0.08:
        draft.asked = month
        return "q.month"
    if draft.future:
        return "q.future.when"
    if draft.when_kind == "year" and rng.random() < 0.5:
        return "q.year"
    return "q.when" if draft.when_kind == "day" else "q.when.any"


def who_pool(draft, verb):
    if draft.future:
        return "q.future.who"
    chance = draft.rng.random()
    if verb.nominal and chance < 0.2:
        return "q.who.nom"
    if chance < 0.35 and draft.agent.kind != "office":
        return "q.who.person" if draft.agent.kind == "person" else "q.who.org"
    return "q.who"


def question_pool(draft, slot, verb):
    if slot == "when":
        return when_question(draft, draft.slots["when"])
    if slot == "who":
        return who_pool(draft, verb)
    if slot == "where":
        if draft.future:
            return "q.future.where"
        return "q.city" if draft.is_town and draft.rng.random() < 0.25 else "q.where"
    return f"q.future.{slot}" if draft.future and slot in ("what", "clock") else f"q.{slot}"


def verb_question(draft, slot, split, rng, agent=None, obj=None, cluster=None, pool_name=None):
    """A question about one slot; other agent, object or cluster make it a question about another fact."""
    draft.rng = rng
    agent_name, obj_name = agent.text if agent else draft.agent_name, obj.text if obj else draft.obj_name
    cluster, obj = cluster or draft.cluster, obj or draft.obj
    verb = draft.verb if cluster is draft.cluster and rng.random() < 0.8 else pick(cluster.verbs, rng)
    name = pool_name or question_pool(draft, slot, verb)
    if slot not in ("what", "role", "count") and "who" not in draft.slots:
        name += ".noagent"
    wording, needs = W[name].pick(rng, split == "heldout")
    plural = draft.fields.get("plural", "")
    fields = {"a": agent_name, "o": plural and slot != "count" and f"the {plural}" or obj_name,
              "past": verb.past, "pp": verb.participle, "base": verb.base, "ing": verb.ing, "nom": verb.nominal, "plural": plural}
    if "cls" in needs:
        fields["cls"] = pick(OBJECTS[obj.kind].nouns, rng)
    if rng.random() < 0.2 and slot in ("who", "what", "when", "where", "to", "why", "money") and wording.endswith(OPEN_ENDS):
        wording = wording[:-1] + known_detail(draft, slot) + wording[-1]
    text = wording.format_map(fields)
    if plural:
        text = text.replace(f"the {plural} was ", f"the {plural} were ").replace(f"was the {plural} ", f"were the {plural} ")
    return finish(text)


OPEN_ENDS = ("{o}?", "{base}?", "{pp}?", "{a}?", "{o}.", "{past}.", "{pp}.")


def known_detail(draft, slot):
    """A place or date of the statement that narrows a question for another slot; may be empty."""
    if slot != "when" and "when" in draft.slots and (slot == "where" or draft.rng.random() < 0.5):
        return " " + draft.when_phrase
    return " " + draft.where_phrase if slot != "where" and "where" in draft.slots else ""


def finish(text):
    """Capitalises the beginning and removes a doubled full stop."""
    if text.endswith(".."):
        text = text[:-1]
    return text[:1].upper() + text[1:]


def in_text(answer, statement):
    """The answer as the statement writes it."""
    return answer if answer in statement else cap(answer)


# ---- Attribute facts ----------------------------------------------------------------------------------------

def general(relation, sort):
    return W["g.q.who"] if sort == "q" and relation.ask == "who" else W[f"g.{sort}.what"]


def fits(wording, entity):
    return "'s" not in wording or entity.count(" ") < 4


def pick_fitting(wordings, entity, rng, held):
    for _ in range(4):
        wording, needs = wordings.pick(rng, held)
        if fits(wording, entity):
            break
    return wording, needs


def relation_question(relation, entity, rng, split):
    """A question for the relation's value; `entity` is a name."""
    held = split == "heldout"
    own = relation.questions.held if held else relation.questions.train
    if own and (not relation.nouns or rng.random() < 0.55):
        return finish(pick(own, rng)[0].replace("{e}", entity))
    wording, _ = pick_fitting(general(relation, "q"), entity, rng, held)
    return finish(wording.replace("{e}", entity).replace("{n}", pick(relation.nouns, rng)))


def relation_qa(relation, entity, name, value, statement, rng, split):
    qa = [(relation_question(relation, name, rng, split), in_text(value, statement))]
    if rng.random() < 0.4:
        second = relation_question(relation, name, rng, split)
        if second != qa[0][0]:
            qa.append((second, qa[0][1]))
    side = "held" if split == "heldout" else "train"
    year = re.search(r"\b\d{4}\b", value)
    if year and getattr(relation.years, side) and rng.random() < 0.5:
        qa.append((finish(pick(getattr(relation.years, side), rng)[0].replace("{e}", name)), year.group()))
    if getattr(relation.inverse, side) and rng.random() < 0.3:
        question = pick(getattr(relation.inverse, side), rng)[0].replace("{v}", value)
        qa.append((finish(question), in_text(entity.text, statement)))
    return qa


def relation_keys(relation, name, value):
    return [(relation.family, name), (relation.family + "=", value)] if relation.inverse.lines else [(relation.family, name)]


def asked_name(entity, rng):
    """The name that questions use."""
    return entity.short() if entity.kind == "person" and rng.random() < SHORT_NAMES else entity.bare


def tail_for(entity, rng):
    return pick(FRAMES["tail2" if entity.kind == "person" else "tail"], rng)


def relation_wording(relation, entity, rng, held):
    own = relation.statements.held if held else relation.statements.train
    if own and (not relation.nouns or rng.random() < 0.6):
        return pick(own, rng)
    if not relation.nouns:
        return relation.statements.pick(rng, held)
    name = "g.s.its" if entity.kind != "person" and rng.random() < 0.12 else "g.s.what"
    return pick_fitting(W[name], entity.text, rng, held)


def relation_fact(rng, split, relation=None, entity=None):
    relation = relation or pick(RELATIONS, rng)
    entity = entity or make_entity(relation.kind, rng)
    value = relation.value(rng)
    wording, needs = relation_wording(relation, entity, rng, split == "heldout" and rng.random() < 0.5)
    fields = {"e": entity.text, "v": value}
    if "n" in needs:
        fields["n"] = pick(relation.nouns, rng)
    if "anv" in needs:
        fields["anv"] = f"{article(value)} {value}"
    if "petkind" in needs:
        fields["petkind"] = pick(POOLS["breed"], rng)
    if "tail" in needs:
        fields["tail"] = tail_for(entity, rng)
    if "tail2" in needs:
        fields["tail2"] = pick(FRAMES["tail2"], rng)
    statement = finish(wording.format_map(fields))
    name = asked_name(entity, rng)
    qa = relation_qa(relation, entity, name, value, statement, rng, split)
    keys = relation_keys(relation, name, value)
    return Fact(statement, qa, entity.text, f"{relation.kind}.{relation.name}", keys, ("rel", [relation], entity))


def record_fact(rng, split, relation=None, entity=None):
    """Two or three attributes of one entity in one statement."""
    kind = relation.kind if relation else pick(RELATIONS, rng).kind
    entity = entity or make_entity(kind, rng)
    chosen = [relation] if relation and relation.nouns else []
    named = [r for r in BY_KIND[kind] if r.nouns]
    count = 3 if rng.random() < 0.4 else 2
    for _ in range(12):
        other = pick(named, rng)
        if len(chosen) < count and other.family not in [r.family for r in chosen]:
            chosen.append(other)
    if len(chosen) < count:
        return relation_fact(rng, split, relation, entity)
    rng.shuffle(chosen)
    wording, _ = W["g.rec3.s" if count == 3 else "g.rec.s"].pick(rng, split == "heldout" and rng.random() < 0.5)
    if kind == "person":
        wording = wording.replace("its", "the")
    fields, values = {"e": entity.text, "tail": tail_for(entity, rng)}, [r.value(rng) for r in chosen]
    for i, (each, value) in enumerate(zip(chosen, values), 1):
        fields[f"n{i}"], fields[f"v{i}"] = pick(each.nouns, rng), value
    statement = finish(wording.format_map(fields))
    name = asked_name(entity, rng)
    qa = [(relation_question(r, name, rng, split), in_text(value, statement)) for r, value in zip(chosen, values)]
    keys = [key for r, value in zip(chosen, values) for key in relation_keys(r, name, value)]
    return Fact(statement, qa, entity.text, f"{kind}.record", keys, ("rel", chosen, entity))


# ---- List facts ---------------------------------------------------------------------------------------------

def joined(names):
    return ", ".join(names[:-1]) + " and " + names[-1]


def distinct(name, count, rng):
    return rng.sample(POOLS[name], count)


def fill_question(name, rng, split, **fields):
    return finish(W[name].pick(rng, split == "heldout")[0].format_map(fields))


def list_wording(name, rng, split):
    return W[name].pick(rng, split == "heldout" and rng.random() < 0.5)[0]


def members_fact(rng, split, entity):
    people = [make_entity("person", rng).text for _ in range(pick((2, 3, 3, 4, 5), rng))]
    counted = rng.random() < 0.5
    wording = list_wording("list.members.n" if counted else "list.members", rng, split)
    number = in_words(len(people)) if rng.random() < 0.7 else str(len(people))
    statement = finish(wording.format(e=entity.text, v=joined(people), n=number))
    qa = [(fill_question("list.members.q", rng, split, e=entity.text), joined(people))]
    if counted:
        qa.append((fill_question("list.members.nq", rng, split, e=entity.text), number))
    return statement, qa, []


def roles_fact(rng, split, entity):
    roles, people = distinct("role", 3, rng), [make_entity("person", rng) for _ in range(3)]
    wording, qa = list_wording("list.roles", rng, split), []
    fields = {"e": entity.text, **{f"r{i}": role for i, role in enumerate(roles, 1)}}
    fields.update(zip("abc", [person.text for person in people]))
    for i in range(3 if "{c}" in wording else 2):
        if rng.random() < 0.65:
            qa.append((fill_question("list.roles.q", rng, split, e=entity.text, r=roles[i]), people[i].text))
        else:
            qa.append((fill_question("list.roles.rq", rng, split, e=entity.text, a=people[i].text), roles[i]))
    return finish(wording.format_map(fields)), qa, roles


def amounts_fact(rng, split, entity):
    items = distinct("ingredient", 3, rng)
    amounts = [amount(rng) for _ in range(3)]
    return paired("list.amounts", "i", "x", items, amounts, rng, split, entity)


def amount(rng):
    units = (10, 950, "g"), (2, 30, "cups"), (2, 24, "ounces"), (20, 990, "grams"), (2, 15, "tablespoons"), (2, 12, "")
    low, high, unit = pick(units, rng)
    number = between(low, high, rng)
    return f"{number} {unit}" if unit else f"{in_words(number)} spoonfuls"


def stock_fact(rng, split, entity):
    counts = [number_or_word(2, 2000, rng) for _ in range(3)]
    return paired("list.stock", "p", "n", distinct("plural", 3, rng), counts, rng, split, entity)


def schedule_fact(rng, split, entity):
    return paired("list.schedule", "g", "t", distinct("agenda", 3, rng), [clock(rng) for _ in range(3)], rng, split, entity)


def paired(name, item, value, items, values, rng, split, entity):
    """Items with their values: "For X you need {x1} of {i1} ..."; only pairs that the wording states are asked."""
    wording = list_wording(name, rng, split)
    fields = {"e": entity.text, **{f"{item}{i}": each for i, each in enumerate(items, 1)},
              **{f"{value}{i}": each for i, each in enumerate(values, 1)}}
    stated = [i for i in range(3) if f"{{{value}{i + 1}}}" in wording]
    statement = finish(wording.format_map(fields))
    qa = [(fill_question(name + ".q", rng, split, e=entity.text, **{item: items[i]}), in_text(values[i], statement)) for i in stated]
    return statement, qa, items


# Name: maker, kind of entity, pool of the items, the items' field in question wordings.
LISTS = {"members": (members_fact, "body", None, None), "roles": (roles_fact, "body", "role", "r"),
         "amounts": (amounts_fact, "dish", "ingredient", "i"),
         "stock": (stock_fact, "company", "plural", "p"), "schedule": (schedule_fact, "event", "agenda", "g")}


def list_fact(rng, split, name=None, entity=None):
    name = name or pick(tuple(LISTS), rng)
    maker, kind, _, _ = LISTS[name]
    entity = entity or make_entity(kind, rng)
    statement, qa, items = maker(rng, split, entity)
    return Fact(statement, qa, entity.text, f"list.{name}", [(f"list.{name}", entity.text)], ("list", name, entity, items))


# ---- Two facts in one sentence ------------------------------------------------------------------------------

LINKS = (", while ", ", whereas ", ", and ", "; ", ", but ", "; by contrast, ", ", just as ", "; meanwhile, ", ". At the same time, ",
         ". In the meantime, ", ". Besides, ")
OPENERS = {line.split(" ", 1)[0] for pool_ in list(W.values()) + [r.statements for r in RELATIONS] for line, _ in pool_.lines
           if line[0].isupper()} | {"In", "On", "At", "The", "A", "An"}
PLAIN = re.compile(r"[^|:;(.]+(?:[A-Z]\.[^|:;(.]+)*\.")


def pair_fact(rng, split):
    """Two facts, alike in relation or entity more often than not, as one sentence."""
    first = (verb_fact if rng.random() < 0.5 else relation_fact)(rng, split)
    second = confusable_fact(first, rng, split)
    index = KeyIndex([first])
    if index.clashes(second.keys) or not PLAIN.fullmatch(first.statement) or not PLAIN.fullmatch(second.statement):
        return first
    tail = second.statement
    if tail.split(" ", 1)[0] in OPENERS:
        tail = tail[0].lower() + tail[1:]
    statement = first.statement[:-1] + pick(LINKS, rng) + tail
    qa = first.qa[:2] + [(question, in_sentence(answer, statement)) for question, answer in second.qa[:2]]
    return Fact(statement, qa, first.subject, first.kind, first.keys + second.keys, pick((first, second), rng).source)


def in_sentence(answer, statement):
    return answer if answer in statement else answer[0].lower() + answer[1:]


# ---- Facts and lists of facts -------------------------------------------------------------------------------

def make_fact(rng, split="train"):
    """One fact of any kind. split: 'train' or 'heldout'."""
    chance = rng.random()
    if chance < 0.37:
        return verb_fact(rng, split)
    if chance < 0.74:
        return relation_fact(rng, split)
    if chance < 0.83:
        return pair_fact(rng, split)
    return record_fact(rng, split) if chance < 0.92 else list_fact(rng, split)


def other_cluster(cluster, kind, rng):
    """A verb cluster of another topic that takes objects of class `kind`; None where there is none."""
    for _ in range(8):
        other = pick(BY_CLASS[kind], rng)
        if other.topic != cluster.topic:
            return other
    return None


def confusable_fact(base, rng, split):
    """A fact that shares the relation but not the entity, or the entity but not the relation, with `base`."""
    if not base.source or base.source[0] == "needle":
        return make_fact(rng, split)
    if base.source[0] == "verb":
        return confusable_verb(base.source[1], rng, split)
    if base.source[0] == "list":
        _, name, entity, _ = base.source
        if rng.random() < 0.5:
            return make_fact(rng, split)
        return list_fact(rng, split, name, entity.near(rng))
    relations, entity = base.source[1:]
    if rng.random() < 0.5:
        maker = record_fact if len(relations) > 1 else relation_fact
        return maker(rng, split, pick(relations, rng), entity.near(rng) if rng.random() < 0.7 else None)
    return relation_fact(rng, split, pick(BY_KIND[entity.kind], rng), entity)


def confusable_verb(draft, rng, split):
    chance = rng.random()
    if chance < 0.45:
        agent = draft.agent.near(rng) if rng.random() < 0.5 else None
        return verb_fact(rng, split, draft.cluster, draft.obj.near(rng), agent)
    other = other_cluster(draft.cluster, draft.obj.kind, rng)
    if chance < 0.75:
        return verb_fact(rng, split, other, draft.obj) if other else make_fact(rng, split)
    return verb_fact(rng, split, other, None, draft.agent)


IGNORED = {"the", "of", "a", "an", "and", "in", "for", "on", "at", "to", "with"}


def words_of(text):
    return frozenset(re.findall(r"[^\W_]+", text.lower())) - IGNORED


class KeyIndex:
    """The (family, entity) pairs of a document; names clash when the words of one contain those of the other."""

    def __init__(self, facts=()):
        self.words = {}
        for fact in facts:
            self.add(fact.keys)

    def add(self, keys):
        for family, text in keys:
            self.words.setdefault(family, []).append(words_of(text))

    def clashes(self, keys):
        for family, text in keys:
            words = words_of(text)
            if any(words <= other or other <= words for other in self.words.get(family, ())):
                return True
        return False


def make_facts(rng, n, split="train", confusable=0.5):
    """n facts for one document; each question of one has no answer in another.

    confusable: the chance that a fact shares its relation or its entity with an earlier one.
    """
    facts, index = [], KeyIndex()
    while len(facts) < n:
        vary = facts and rng.random() < confusable
        fact = confusable_fact(pick(facts, rng), rng, split) if vary else make_fact(rng, split)
        if not index.clashes(fact.keys):
            index.add(fact.keys)
            facts.append(fact)
    return facts


# ---- Questions without an answer ----------------------------------------------------------------------------

def absent_questions(rng, facts, n, split="train"):
    """n questions that `facts` do not answer: another entity, another relation, an unstated detail, or unrelated."""
    index, questions = KeyIndex(facts), []
    sources = [fact.source for fact in facts if fact.source]
    while len(questions) < n:
        if sources and rng.random() < 0.85:
            source = pick(sources, rng)
            question, keys = ABSENT[source[0]](source, rng, split)
        else:
            fact = make_fact(rng, split)
            question, keys = pick(fact.qa, rng)[0], fact.keys
        if question and question not in questions and not index.clashes(keys):
            questions.append(question)
    return questions


def absent_relation(source, rng, split):
    relations, entity = source[1:]
    if rng.random() < 0.62:
        relation = pick(relations, rng)
        entity = entity.near(rng) if rng.random() < 0.7 else make_entity(entity.kind, rng)
    else:
        relation = pick(BY_KIND[entity.kind], rng)
    return relation_question(relation, entity.bare, rng, split), [(relation.family, entity.bare)]


def absent_list(source, rng, split):
    _, name, entity, items = source
    _, kind, pool_name, item_field = LISTS[name]
    if pool_name is None:
        other = entity.near(rng)
        return fill_question("list.members.q", rng, split, e=other.text), [("list.members", other.text)]
    if rng.random() < 0.5:
        other = entity.near(rng) if rng.random() < 0.7 else make_entity(kind, rng)
        return fill_question(f"list.{name}.q", rng, split, e=other.text, **{item_field: pick(items, rng)}), [(f"list.{name}", other.text)]
    item = pick(POOLS[pool_name], rng)
    if item in items:
        return None, []
    return fill_question(f"list.{name}.q", rng, split, e=entity.text, **{item_field: item}), []


def absent_needle(source, rng, split):
    _, key, term = source
    other = near_key(key, rng)
    return fill_question("question", rng, split, k=other, t=term), [("needle", other)]


def unstated(draft, rng, split):
    """A question about a detail that the verb fact leaves open."""
    extras = [] if draft.future else ["why", "clock"] + draft.cluster.extras
    missing = [slot for slot in ["when", "where"] + extras if slot not in draft.slots]
    if "role" not in draft.slots and "who" in draft.slots and draft.agent.kind == "person":
        missing.append("role")
    if "who" not in draft.slots:
        missing.append("who")
    slot = pick(missing, rng) if missing else None
    if slot is None:
        return None, []
    name = {"when": "q.when.any", "where": "q.where", "who": "q.who"}.get(slot, f"q.{slot}")
    if draft.future and slot in ("when", "where"):
        name = f"q.future.{slot}"
    keys = [("person.profession", draft.agent_name)] if slot == "role" else []
    return verb_question(draft, slot, split, rng, pool_name=name), keys


def absent_verb(source, rng, split):
    draft, style = source[1:]
    chance, cluster = rng.random(), draft.cluster
    if chance < 0.2:
        return unstated(draft, rng, split)
    slot = pick(list(draft.slots), rng)
    agent = draft.agent.near(rng) if rng.random() < 0.7 else make_entity(draft.agent.kind, rng)
    if slot in ("what", "role", "count"):
        if slot != "role" and chance < 0.5:
            cluster = other_cluster(cluster, draft.obj.kind, rng) or cluster
            agent = draft.agent
        keys = [("person.profession", agent.bare)] if slot == "role" else [(f"va.{cluster.name}", agent.bare)]
        return verb_question(draft, slot, split, rng, agent=agent, cluster=cluster), keys
    if style == "count":
        return None, []
    if chance < 0.5 and slot not in ("money", "to"):
        cluster = other_cluster(cluster, draft.obj.kind, rng)
        if cluster is None:
            return None, []
        return verb_question(draft, slot, split, rng, cluster=cluster), [(f"vo.{cluster.name}", draft.obj_name)]
    obj = draft.obj.near(rng) if rng.random() < 0.75 else make_object(cluster, rng)
    return verb_question(draft, slot, split, rng, obj=obj), [(f"vo.{cluster.name}", obj.text)]


ABSENT = {"verb": absent_verb, "rel": absent_relation, "list": absent_list, "needle": absent_needle}


# ---- Needles ------------------------------------------------------------------------------------------------

def needle_key(rng):
    """A key as a list of halves and the sign between them."""
    chance, sign = rng.random(), pick(("-", "-", "-", " "), rng)
    if chance < 0.75:
        return [pick(POOLS["adj"], rng), sign, pick(POOLS["noun"], rng)]
    return [pick(POOLS["noun"], rng)] if chance < 0.9 else [syllables(rng).lower()]


def near_key(key, rng):
    """Another key that shares one half where `key` has two."""
    halves = re.split(r"([- ])", key, maxsplit=1)
    if len(halves) == 1:
        return f"{pick(POOLS['adj'], rng)}-{key}" if rng.random() < 0.3 else "".join(needle_key(rng))
    place = pick((0, 2), rng)
    halves[place] = pick(POOLS["adj" if place == 0 else "noun"], rng)
    return "".join(halves)


def needle_value(term, rng):
    if term == "number":
        return digits(7, rng)
    if term == "word":
        return "".join(needle_key(rng)) if rng.random() < 0.7 else syllables(rng).lower()
    code = f"{rng.getrandbits(128):032x}"
    if rng.random() < 0.4:
        return f"{code[:4]}-{code[4:8]}-{code[8:12]}"
    return f"{code[:8]}-{code[8:12]}-{code[12:16]}-{code[16:20]}-{code[20:]}"


def make_needle(key, name, value, rng, split):
    wording = W["statement"].pick(rng, split == "heldout" and rng.random() < 0.5)[0]
    statement = finish(wording.format(k=key, v=value, t=name))
    question = fill_question("question", rng, split, k=key, t=name)
    return Fact(statement, [(question, in_text(value, statement))], key, "needle", [("needle", key)], ("needle", key, name))


TERMS = ("number", "number", "number", "number", "word", "uuid", "code")


def needle(rng, split="train"):
    """A fact such as "One of the special magic numbers for brisk-lantern is: 4820175." """
    term = pick(TERMS, rng)
    return make_needle("".join(needle_key(rng)), term, needle_value(term, rng), rng, split)


def needle_group(rng, wrong=3, split="train"):
    """[the needle that is asked, then `wrong` others of its sort], most of them with a key that shares one half."""
    term = pick(TERMS, rng)
    keys, values = ["".join(needle_key(rng))], [needle_value(term, rng)]
    while len(keys) <= wrong:
        key = near_key(keys[0], rng) if rng.random() < 0.7 else "".join(needle_key(rng))
        value = needle_value(term, rng)
        if value not in values and not any(words_of(key) <= words_of(k) or words_of(k) <= words_of(key) for k in keys):
            keys.append(key)
            values.append(value)
    return [make_needle(key, term, value, rng, split) for key, value in zip(keys, values)]


# ---- Dress and filler ---------------------------------------------------------------------------------------

QUESTION_WORDS = set("who whom whose what which when where why how in on at by for from to of about after against can could do does "
                     "did is are was were as tell give find name state look up the some someone say quote read over with under near "
                     "because since until".split())


def lowered(question):
    """The question with a small first letter, where its first word is not a name."""
    first = question.split(" ", 1)[0].lower()
    return question[0].lower() + question[1:] if first in QUESTION_WORDS else question


def dress_question(rng, q):
    """The same question with or without a polite or contextual beginning or end, small letters, no question mark."""
    chance = rng.random()
    if chance < 0.5:
        return q
    if chance < 0.58:
        return q.lower()
    if chance < 0.66:
        return q.rstrip("?.")
    dress = pick(NEEDLES["dress"], rng)
    before = dress.partition("{q}")[0]
    if before and (before.endswith(", ") or before.endswith(": ") and rng.random() < 0.5):
        q = lowered(q)
    return dress.replace("{q}", q)


PATTERNS = {name: [compile_pattern(re.sub(r"\b[Aa] \{", "{an} {", line)) for line in lines] for name, lines in FILLER.items()}


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


# ---- Command line: samples and self-check -------------------------------------------------------------------

def check_fact(fact, problems):
    if re.search(r"[{}\x01]|  | ,|\ba [aeio]\w|\.\.$", fact.statement):
        problems.append(f"odd statement: {fact.statement}")
    for question, answer in fact.qa:
        if not answer or answer not in fact.statement:
            problems.append(f"answer {answer!r} is not in: {fact.statement}")
        if re.search(r"[{}\x01]|  ", question) or not question:
            problems.append(f"odd question: {question}")
    if not fact.qa:
        problems.append(f"no question: {fact.statement}")


def self_check(count):
    """Checks `count` facts in documents of 20, half of them held out; returns the problems."""
    problems = [f"{name}: nothing held out" for name, pool_ in W.items() if not pool_.held]
    rng, made = random.Random(7), 0
    while made < count:
        split = ("train", "heldout")[made // 20 % 2]
        facts = make_facts(rng, 20, split)
        index = {}
        for fact in facts:
            check_fact(fact, problems)
            for question, answer in fact.qa:
                if index.setdefault(question, answer) != answer:
                    problems.append(f"two answers to {question}: {index[question]} / {answer}")
        for question in absent_questions(rng, facts, 5, split):
            if question in index:
                problems.append(f"answered absent question: {question}")
            if re.search(r"[{}\x01]|  ", question):
                problems.append(f"odd question: {question}")
        group = needle_group(rng)
        for fact in group:
            check_fact(fact, problems)
        for text in (filler_sentence(rng), heading(rng), list_item(rng), table_row(rng)):
            if re.search(r"[{}\x01]|  |\ba [aeio]\w", text):
                problems.append(f"odd filler: {text}")
        made += 20
    return problems


def counts():
    lines = {"q": set(), "s": set()}
    for name, pool_ in W.items():
        sort = "q" if ".q" in f".{name}" or name.endswith("nq") else "s"
        lines[sort] |= {line for line, _ in pool_.lines}
    for relation in RELATIONS:
        lines["s"] |= {f"{relation.family} {line}" for line, _ in relation.statements.lines}
        lines["q"] |= {f"{relation.family} {line}" for each in relation.pools()[1:] for line, _ in each.lines}
    verbs = sum(len(c.verbs) for c in CLUSTERS)
    objects = sum(kind.size for kind in OBJECTS.values())
    return (f"{len(RELATIONS)} relations of {len({r.kind for r in RELATIONS})} kinds, {verbs} verbs in {len(CLUSTERS)} clusters, "
            f"{objects} object phrases before tails, {len(lines['s'])} statement wordings, {len(lines['q'])} question wordings, "
            f"{len(WORDINGS['held'] - WORDINGS['train'])} held out, {len(PATTERNS['sentence'])} filler patterns")


def facts_per_second():
    rng, begin = random.Random(3), time.perf_counter()
    for _ in range(20000):
        make_fact(rng)
    return 20000 / (time.perf_counter() - begin)


def print_samples(count, seed, split):
    rng = random.Random(seed)
    facts = make_facts(rng, count, split)
    for fact in facts:
        print(f"{fact.kind}: {fact.statement}")
        for question, answer in fact.qa:
            print(f"    {dress_question(rng, question)} -> {answer}")
    for question in absent_questions(rng, facts, max(1, count // 2), split):
        print(f"absent: {question}")
    for fact in needle_group(rng):
        print(f"needle: {fact.statement} {fact.qa[0]}")
    print(heading(rng), filler_paragraph(rng), list_item(rng), table_row(rng), sep="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=20, help="facts to print")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", choices=("train", "heldout"), default="train")
    parser.add_argument("--check", type=int, default=2000, help="facts to check")
    options = parser.parse_args()
    print_samples(options.sample, options.seed, options.split)
    print(counts())
    print(f"{facts_per_second():.0f} facts a second")
    problems = self_check(options.check)
    print(*problems[:40], sep="\n")
    print(f"{len(problems)} problems in {options.check} facts")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
