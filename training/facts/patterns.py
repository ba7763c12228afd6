"""Patterns: text with {fields} that are filled by the makers of values, names and entities, or from a pool."""
import re

from .entities import ENTITY, make_entity
from .grammar import ORDINALS, article, title_case
from .names import email, forename, place_name, street, surname, syllables, two_words
from .pools import POOLS, pick, pool, read_sections
from .values import (between, clock, day, digits, duration, letters, money, number_or_word, percent, phone, weekdays, with_commas,
                     year_between)

SLOT = re.compile(r"\{(\w+)((?: [^}]*)?)\}")
VENUES = [lambda rng: f"the {syllables(rng)} Hall", lambda rng: f"{syllables(rng)} Castle",
          lambda rng: f"{between(1, 240, rng)} {street(rng)}",
          lambda rng: make_entity("room", rng).text, lambda rng: f"the {title_case(pick(POOLS['noun'], rng))} Hotel",
          lambda rng: make_entity("building", rng).text]

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


def read_entities():
    """Fills ENTITY, which make_entity reads, so that whoever compiles a pattern has all entities."""
    for kind, lines in read_sections("relations.txt").items():
        for line in lines:
            if line.startswith("e:"):
                ENTITY.setdefault(kind, []).extend(compile_pattern(text.strip()) for text in line[2:].split(" | "))


read_entities()
