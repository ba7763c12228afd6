"""Named things, which can give a name much like their own and a shorter one."""
from .pools import POOLS, pick

ENTITY = {}  # The patterns of each kind, from relations.txt.
SHORT_NAMES = 0.12  # The share of facts whose questions name the object or person by a shorter name.


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


def make_entity(kind, rng):
    prefix = pick(POOLS["title"], rng) + " " if kind == "person" and rng.random() < 0.12 else ""
    return Entity(kind, pick(ENTITY[kind], rng), rng, None, prefix)
