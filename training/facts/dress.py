"""The dress of a question: polite or contextual beginnings and ends, small letters, no question mark."""
from .frames import NEEDLES
from .pools import pick

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
