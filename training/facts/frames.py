"""Frames: the general wordings by name, from frames.txt and needles.txt, and the division of all wordings by split."""
from .grammar import finish
from .pools import read_sections
from .relations import RELATIONS
from .wordings import Wordings

FRAMES = read_sections("frames.txt")
NEEDLES = read_sections("needles.txt")
NO_WORDINGS = ("tail", "tail2", "dress")  # Sections of parts that every split uses.
ASKED_WITHOUT_AGENT = ("q.what", "q.future.what", "q.role", "q.count")  # Questions that need no pool of their own without an agent.


def read_wordings():
    """Name: Wordings, with pools '<name>.org' for agents that are no persons and '<name>.noagent' for questions that name no agent."""
    pools = {name: Wordings(lines) for name, lines in {**FRAMES, **NEEDLES}.items() if name not in NO_WORDINGS}
    for name in list(pools):
        if name.startswith("s."):
            pools[name + ".org"] = pools[name].only(lambda needs: "role" not in needs)
        elif name.startswith("q.") and name not in ASKED_WITHOUT_AGENT:
            pools[name + ".noagent"] = pools[name].only(lambda needs: "a" not in needs)
    return pools


def divide_wordings():
    """Divides the general wordings and those of the relations: a wording that several pools share is held out in all or none."""
    for pool in list(WORDINGS.values()) + [relation.questions for relation in RELATIONS if not relation.nouns]:
        pool.force()
    for pool in list(WORDINGS.values()) + [each for relation in RELATIONS for each in relation.pools()]:
        pool.divide()


def fill_question(name, rng, split, **fields):
    return finish(WORDINGS[name].pick(rng, split == "heldout")[0].format_map(fields))


def statement_wording(name, rng, split):
    return WORDINGS[name].pick(rng, split == "heldout" and rng.random() < 0.5)[0]


WORDINGS = read_wordings()
divide_wordings()
