"""Facts about who did what ("Who approved the budget?"), and questions about each of their details."""
import re

from .entities import SHORT_NAMES, make_entity
from .fact import Fact
from .frames import FRAMES, WORDINGS
from .grammar import cap, finish, in_text
from .names import place_name
from .patterns import VENUES
from .pools import POOLS, pick
from .values import MONTHS, clock, dated, money, number_or_word
from .verbs import CLUSTERS, OBJECTS, make_object

PERSONAL_TOPICS = {"visit", "perform", "taste", "drive", "care", "make"}
ADJUNCTS = [(), (), ("where",), ("where",), ("when",), ("when",), ("when", "where"), ("where", "when"), ("clock", "when")]
OPEN_ENDS = ("{o}?", "{base}?", "{pp}?", "{a}?", "{o}.", "{past}.", "{pp}.")


def make_agent(cluster, rng):
    chance = rng.random()
    if chance < 0.72 or cluster.topic in PERSONAL_TOPICS:
        return make_entity("person", rng)
    return make_entity("company" if chance < 0.83 else "club" if chance < 0.92 else "office", rng)


def place_phrase(rng):
    """(preposition, place, is_town)"""
    chance = rng.random()
    if chance < 0.68:
        return "in", place_name(rng), True
    if chance < 0.84:
        return "at", pick(VENUES, rng)(rng), False
    return "in", f"{pick(POOLS['spot'], rng)} {place_name(rng)}", False


class Draft:
    """What a verb statement says: field texts for templates and the slots that can be asked."""

    def __init__(self, cluster, verb, agent, obj, future, rng):
        self.rng, self.future, self.slots = rng, future, {}
        self.fields = {"a": agent.text, "o": obj.text, "past": verb.past, "pp": verb.participle, "base": verb.base, "ing": verb.ing}
        self.cluster, self.verb, self.agent, self.obj = cluster, verb, agent, obj
        self.when_kind = self.is_town = None
        self.obj_name = obj.short() if rng.random() < SHORT_NAMES else obj.text
        self.agent_name = agent.short() if rng.random() < SHORT_NAMES else agent.text if rng.random() < 0.5 else agent.bare

    def when(self):
        if "when" not in self.slots:
            preposition, text, self.when_kind = dated(self.rng, self.future)
            self.slots["when"] = text
            self.when_phrase = f"{preposition} {text}"
        return self.when_phrase

    def where(self):
        if "where" not in self.slots:
            preposition, text, self.is_town = place_phrase(self.rng)
            self.slots["where"] = text
            self.where_phrase = f"{preposition} {text}"
        return self.where_phrase

    def clock(self):
        if "clock" not in self.slots:
            self.slots["clock"] = clock(self.rng)
        return "at " + self.slots["clock"]

    def adjuncts(self):
        kinds = pick(ADJUNCTS, self.rng)
        return "".join(" " + getattr(self, kind)() for kind in kinds)

    def fill(self, needs):
        """Adds the fields that a statement wording needs beyond agent, object and verb."""
        fields, slots, rng = self.fields, self.slots, self.rng
        for name in needs:
            if name in ("on", "On", "date"):
                fields["on"] = self.when()
                fields["On"], fields["date"] = cap(fields["on"]), slots["when"]
            elif name in ("in", "In", "place"):
                fields["in"] = self.where()
                fields["In"], fields["place"] = cap(fields["in"]), slots["where"]
            elif name == "adj":
                continue
            elif name == "at":
                fields["at"] = self.clock()[3:]
            elif name == "role":
                slots["role"] = fields["role"] = pick(POOLS["job"], rng)
            elif name == "why":
                slots["why"] = fields["why"] = pick(POOLS["cause"], rng)
            elif name == "to":
                slots["to"] = fields["to"] = make_entity("person" if rng.random() < 0.6 else pick(("company", "club"), rng), rng).text
            elif name == "m":
                slots["money"] = fields["m"] = money(rng)
            elif name == "n":
                slots["count"] = fields["n"] = number_or_word(2, 4000, rng)
            elif name == "plural":
                fields["plural"] = pick(POOLS["plural"], rng)
            elif name == "tail":
                fields["tail"] = pick(FRAMES["tail"], rng)
            elif name == "nom":
                fields["nom"] = self.verb.nominal
        if "adj" in needs:
            fields["adj"] = "" if "date" in needs or "on" in needs or "On" in needs else self.adjuncts()


def verb_style(cluster, verb, rng):
    styles = ["past"] * 11 + ["noagent", "future"] + [extra for extra in cluster.extras for _ in range(3)]
    if verb.nominal:
        styles += ["nominal", "nominal"]
    if "thing" in cluster.classes:
        styles.append("count")
    return pick(styles, rng)


def verb_fact(rng, split, cluster=None, obj=None, agent=None):
    cluster = cluster or pick(CLUSTERS, rng)
    verb = pick(cluster.verbs, rng)
    agent, style = agent or make_agent(cluster, rng), verb_style(cluster, verb, rng)
    if obj is not None and style == "count":
        style = "past"
    obj = obj or make_object(cluster, rng)
    draft = Draft(cluster, verb, agent, obj, style == "future", rng)
    name = f"s.{style}" if agent.kind == "person" else f"s.{style}.org"
    wording, needs = WORDINGS[name].pick(rng, split == "heldout" and rng.random() < 0.5)
    draft.fill(needs)
    if "{a}" in wording:
        draft.slots["who"] = agent.text
        if style != "count":
            draft.slots["what"] = obj.text
    statement = finish(wording.format_map(draft.fields))
    qa = [(verb_question(draft, slot, split, rng), in_text(verb_answer(draft, slot), statement)) for slot in choose(draft.slots, rng)]
    keys = [(f"vo.{cluster.name}", draft.fields["plural"] if style == "count" else draft.obj_name),
            (f"va.{cluster.name}", draft.agent_name)]
    if "role" in draft.slots:
        keys.append(("person.profession", draft.agent_name))
    return Fact(statement, qa, obj.text, f"verb.{cluster.name}", keys, ("verb", draft, style))


def choose(slots, rng):
    """Up to three slots to ask about; 'year', 'month' and 'city' follow from the others in verb_question."""
    names = list(slots)
    rng.shuffle(names)
    return names[:3]


def verb_answer(draft, slot):
    return draft.asked if slot == "when" else draft.slots[slot]


def when_question(draft, text):
    """The pool for a question about the date, and its answer into draft.asked."""
    draft.asked, rng = text, draft.rng
    year = re.search(r"\d{4}", text)
    if year and draft.when_kind != "year" and not draft.future and rng.random() < 0.2:
        draft.asked = year.group()
        return "q.year"
    month = next((m for m in MONTHS if m in text), None)
    if month and not draft.future and rng.random() < 0.08:
        draft.asked = month
        return "q.month"
    if draft.future:
        return "q.future.when"
    if draft.when_kind == "year" and rng.random() < 0.5:
        return "q.year"
    return "q.when" if draft.when_kind == "day" else "q.when.any"


def who_pool(draft, verb):
    if draft.future:
        return "q.future.who"
    chance = draft.rng.random()
    if verb.nominal and chance < 0.2:
        return "q.who.nom"
    if chance < 0.35 and draft.agent.kind != "office":
        return "q.who.person" if draft.agent.kind == "person" else "q.who.org"
    return "q.who"


def question_pool(draft, slot, verb):
    if slot == "when":
        return when_question(draft, draft.slots["when"])
    if slot == "who":
        return who_pool(draft, verb)
    if slot == "where":
        if draft.future:
            return "q.future.where"
        return "q.city" if draft.is_town and draft.rng.random() < 0.25 else "q.where"
    return f"q.future.{slot}" if draft.future and slot in ("what", "clock") else f"q.{slot}"


def verb_question(draft, slot, split, rng, agent=None, obj=None, cluster=None, pool_name=None):
    """A question about one slot; other agent, object or cluster make it a question about another fact."""
    draft.rng = rng
    agent_name, obj_name = agent.text if agent else draft.agent_name, obj.text if obj else draft.obj_name
    cluster, obj = cluster or draft.cluster, obj or draft.obj
    verb = draft.verb if cluster is draft.cluster and rng.random() < 0.8 else pick(cluster.verbs, rng)
    name = pool_name or question_pool(draft, slot, verb)
    if slot not in ("what", "role", "count") and "who" not in draft.slots:
        name += ".noagent"
    wording, needs = WORDINGS[name].pick(rng, split == "heldout")
    plural = draft.fields.get("plural", "")
    fields = {"a": agent_name, "o": plural and slot != "count" and f"the {plural}" or obj_name,
              "past": verb.past, "pp": verb.participle, "base": verb.base, "ing": verb.ing, "nom": verb.nominal, "plural": plural}
    if "cls" in needs:
        fields["cls"] = pick(OBJECTS[obj.kind].nouns, rng)
    if rng.random() < 0.2 and slot in ("who", "what", "when", "where", "to", "why", "money") and wording.endswith(OPEN_ENDS):
        wording = wording[:-1] + known_detail(draft, slot) + wording[-1]
    text = wording.format_map(fields)
    if plural:
        text = text.replace(f"the {plural} was ", f"the {plural} were ").replace(f"was the {plural} ", f"were the {plural} ")
    return finish(text)


def known_detail(draft, slot):
    """A place or date of the statement that narrows a question for another slot; may be empty."""
    if slot != "when" and "when" in draft.slots and (slot == "where" or draft.rng.random() < 0.5):
        return " " + draft.when_phrase
    return " " + draft.where_phrase if slot != "where" and "where" in draft.slots else ""
