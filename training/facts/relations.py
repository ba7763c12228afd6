"""Relations: what can be said of each kind of entity, from relations.txt."""
from .entities import ENTITY
from .patterns import compile_pattern, expand
from .pools import pick, read_sections
from .wordings import Wordings


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
            if line.startswith("="):
                relations.append(Relation(kind, line))
            elif not line.startswith("e:"):
                relations[-1].add(line)
    return relations


RELATIONS = read_relations()
BY_KIND = {kind: [r for r in RELATIONS if r.kind == kind] for kind in ENTITY}
