"""Facts that list members, roles, amounts, stock or a schedule."""
from .entities import make_entity
from .fact import Fact
from .frames import fill_question, statement_wording
from .grammar import finish, in_text, in_words, joined
from .pools import POOLS, pick
from .values import between, clock, number_or_word


def distinct(name, count, rng):
    return rng.sample(POOLS[name], count)


def members_fact(rng, split, entity):
    people = [make_entity("person", rng).text for _ in range(pick((2, 3, 3, 4, 5), rng))]
    counted = rng.random() < 0.5
    wording = statement_wording("list.members.n" if counted else "list.members", rng, split)
    number = in_words(len(people)) if rng.random() < 0.7 else str(len(people))
    statement = finish(wording.format(e=entity.text, v=joined(people), n=number))
    qa = [(fill_question("list.members.q", rng, split, e=entity.text), joined(people))]
    if counted:
        qa.append((fill_question("list.members.nq", rng, split, e=entity.text), number))
    return statement, qa, []


def roles_fact(rng, split, entity):
    roles, people = distinct("role", 3, rng), [make_entity("person", rng) for _ in range(3)]
    wording, qa = statement_wording("list.roles", rng, split), []
    fields = {"e": entity.text, **{f"r{i}": role for i, role in enumerate(roles, 1)}}
    fields.update(zip("abc", [person.text for person in people]))
    for i in range(3 if "{c}" in wording else 2):
        if rng.random() < 0.65:
            qa.append((fill_question("list.roles.q", rng, split, e=entity.text, r=roles[i]), people[i].text))
        else:
            qa.append((fill_question("list.roles.rq", rng, split, e=entity.text, a=people[i].text), roles[i]))
    return finish(wording.format_map(fields)), qa, roles


def amounts_fact(rng, split, entity):
    items = distinct("ingredient", 3, rng)
    amounts = [amount(rng) for _ in range(3)]
    return paired("list.amounts", "i", "x", items, amounts, rng, split, entity)


def amount(rng):
    units = (10, 950, "g"), (2, 30, "cups"), (2, 24, "ounces"), (20, 990, "grams"), (2, 15, "tablespoons"), (2, 12, "")
    low, high, unit = pick(units, rng)
    number = between(low, high, rng)
    return f"{number} {unit}" if unit else f"{in_words(number)} spoonfuls"


def stock_fact(rng, split, entity):
    counts = [number_or_word(2, 2000, rng) for _ in range(3)]
    return paired("list.stock", "p", "n", distinct("plural", 3, rng), counts, rng, split, entity)


def schedule_fact(rng, split, entity):
    return paired("list.schedule", "g", "t", distinct("agenda", 3, rng), [clock(rng) for _ in range(3)], rng, split, entity)


def paired(name, item, value, items, values, rng, split, entity):
    """Items with their values: "For X you need {x1} of {i1} ..."; only pairs that the wording states are asked."""
    wording = statement_wording(name, rng, split)
    fields = {"e": entity.text, **{f"{item}{i}": each for i, each in enumerate(items, 1)},
              **{f"{value}{i}": each for i, each in enumerate(values, 1)}}
    stated = [i for i in range(3) if f"{{{value}{i + 1}}}" in wording]
    statement = finish(wording.format_map(fields))
    qa = [(fill_question(name + ".q", rng, split, e=entity.text, **{item: items[i]}), in_text(values[i], statement)) for i in stated]
    return statement, qa, items


# Name: maker, kind of entity, pool of the items, the items' field in question wordings.
LISTS = {"members": (members_fact, "body", None, None), "roles": (roles_fact, "body", "role", "r"),
         "amounts": (amounts_fact, "dish", "ingredient", "i"),
         "stock": (stock_fact, "company", "plural", "p"), "schedule": (schedule_fact, "event", "agenda", "g")}


def list_fact(rng, split, name=None, entity=None):
    name = name or pick(tuple(LISTS), rng)
    maker, kind, _, _ = LISTS[name]
    entity = entity or make_entity(kind, rng)
    statement, qa, items = maker(rng, split, entity)
    return Fact(statement, qa, entity.text, f"list.{name}", [(f"list.{name}", entity.text)], ("list", name, entity, items))
