"""Questions that the facts of a document do not answer."""
from .actions import verb_question
from .attributes import relation_question
from .documents import make_fact
from .entities import make_entity
from .frames import fill_question
from .keys import KeyIndex
from .lists import LISTS
from .needles import near_key
from .pools import POOLS, pick
from .relations import BY_KIND
from .verbs import make_object, other_cluster


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
