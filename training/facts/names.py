"""Names of people, places and streets, some of them made up from syllables."""
from .grammar import title_case
from .pools import POOLS, pick


def syllables(rng):
    """A made-up name such as Velmora."""
    middle = pick(POOLS["syb"], rng) if rng.random() < 0.45 else ""
    return pick(POOLS["sya"], rng) + middle + pick(POOLS["syc"], rng)


def surname(rng):
    chance = rng.random()
    if chance < 0.66:
        return pick(POOLS["last"], rng)
    if chance < 0.94:
        return pick(POOLS["sya"], rng) + (pick(POOLS["syb"], rng) if rng.random() < 0.3 else "") + pick(POOLS["sys"], rng)
    return f"{pick(POOLS['last'], rng)}-{pick(POOLS['last'], rng)}"


def forename(rng):
    if rng.random() < 0.85:
        return pick(POOLS["first"], rng)
    return pick(POOLS["sya"], rng) + pick(("a", "o", "ina", "ia", "us", "ette", "ik", "an", "elle", "or", "isa", "im"), rng)


def place_name(rng):
    return pick(POOLS["city"], rng) if rng.random() < 0.5 else syllables(rng)


def two_words(rng):
    return f"{title_case(pick(POOLS['adj'], rng))} {title_case(pick(POOLS['noun'], rng))}"


def street(rng):
    name = pick(POOLS["street1"], rng) if rng.random() < 0.5 else syllables(rng)
    return f"{name} {pick(POOLS['street'], rng)}"


def email(rng):
    ending = pick(("org", "net", "com", "eu"), rng)
    return f"{pick(POOLS['noun'], rng)}.{pick(POOLS['sya'], rng).lower()}@{syllables(rng).lower()}.{ending}"
