"""Facts about the attributes of an entity, one or several a sentence, and questions about them."""
import re

from .entities import SHORT_NAMES, make_entity
from .fact import Fact
from .frames import FRAMES, WORDINGS, statement_wording
from .grammar import article, finish, in_text
from .pools import POOLS, pick
from .relations import BY_KIND, RELATIONS


def general(relation, sort):
    return WORDINGS["g.q.who"] if sort == "q" and relation.ask == "who" else WORDINGS[f"g.{sort}.what"]


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
    return pick_fitting(WORDINGS[name], entity.text, rng, held)


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
    wording = statement_wording("g.rec3.s" if count == 3 else "g.rec.s", rng, split)
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
