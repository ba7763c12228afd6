"""Needles: facts that tie a key to a number, a word or a code, in groups of keys that look alike."""
import re

from .fact import Fact
from .frames import fill_question, statement_wording
from .grammar import finish, in_text
from .keys import words_of
from .names import syllables
from .pools import POOLS, pick
from .values import digits

TERMS = ("number", "number", "number", "number", "word", "uuid", "code")


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
    wording = statement_wording("statement", rng, split)
    statement = finish(wording.format(k=key, v=value, t=name))
    question = fill_question("question", rng, split, k=key, t=name)
    return Fact(statement, [(question, in_text(value, statement))], key, "needle", [("needle", key)], ("needle", key, name))


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
