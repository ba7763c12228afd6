"""The facts of one document: of all kinds, some of them alike, two of them sometimes in one sentence."""
import re

from .actions import verb_fact
from .attributes import record_fact, relation_fact
from .fact import Fact
from .frames import WORDINGS
from .keys import KeyIndex
from .lists import list_fact
from .pools import pick
from .relations import BY_KIND, RELATIONS
from .verbs import other_cluster

LINKS = (", while ", ", whereas ", ", and ", "; ", ", but ", "; by contrast, ", ", just as ", "; meanwhile, ", ". At the same time, ",
         ". In the meantime, ", ". Besides, ")
OPENERS = {line.split(" ", 1)[0] for pool in list(WORDINGS.values()) + [r.statements for r in RELATIONS] for line, _ in pool.lines
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
