"""Verbs with their forms, and the classes of objects that they take, from verbs.txt and objects.txt."""
from .entities import Entity
from .grammar import gerund, regular_past
from .patterns import compile_pattern, expand
from .pools import DATA, pick, read_sections


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


def other_cluster(cluster, kind, rng):
    """A verb cluster of another topic that takes objects of class `kind`; None where there is none."""
    for _ in range(8):
        other = pick(BY_CLASS[kind], rng)
        if other.topic != cluster.topic:
            return other
    return None


OBJECTS = {name: ObjectClass(lines) for name, lines in read_sections("objects.txt").items()}
CLUSTERS = [Cluster(line) for line in (DATA / "verbs.txt").read_text(encoding="utf-8").splitlines() if " > " in line]
BY_CLASS = {name: [c for c in CLUSTERS if name in c.classes] for name in OBJECTS}
