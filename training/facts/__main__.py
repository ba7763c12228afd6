"""Print samples and counts of the generator and check what it makes.

Run: cd training && python3 -m facts [--sample N] [--seed N] [--split train|heldout] [--check N]
"""
import argparse
import random
import re
import time

from . import absent_questions, dress_question, filler_paragraph, filler_sentence, heading, list_item, make_facts, needle_group, passages, table_row
from .documents import make_fact
from .filler import PATTERNS
from .frames import WORDINGS
from .passages import patterns, problems_of
from .relations import RELATIONS
from .verbs import CLUSTERS, OBJECTS
from .wordings import SPLITS


def check_fact(fact, problems):
    if re.search(r"[{}\x01]|  | ,|\ba [aeio]\w|\.\.$", fact.statement):
        problems.append(f"odd statement: {fact.statement}")
    for question, answer in fact.qa:
        if not answer or answer not in fact.statement:
            problems.append(f"answer {answer!r} is not in: {fact.statement}")
        if re.search(r"[{}\x01]|  ", question) or not question:
            problems.append(f"odd question: {question}")
    if not fact.qa:
        problems.append(f"no question: {fact.statement}")


def self_check(count):
    """Checks `count` facts in documents of 20, half of them held out; returns the problems."""
    problems = [f"{name}: nothing held out" for name, pool in WORDINGS.items() if not pool.held]
    rng, made = random.Random(7), 0
    for pattern in every_passage():
        problems += problems_of(pattern, rng)
    while made < count:
        split = ("train", "heldout")[made // 20 % 2]
        facts = make_facts(rng, 20, split)
        index = {}
        for fact in facts:
            check_fact(fact, problems)
            for question, answer in fact.qa:
                if index.setdefault(question, answer) != answer:
                    problems.append(f"two answers to {question}: {index[question]} / {answer}")
        for question in absent_questions(rng, facts, 5, split):
            if question in index:
                problems.append(f"answered absent question: {question}")
            if re.search(r"[{}\x01]|  ", question):
                problems.append(f"odd question: {question}")
        group = needle_group(rng)
        for fact in group:
            check_fact(fact, problems)
        for text in (filler_sentence(rng), heading(rng), list_item(rng), table_row(rng)):
            if re.search(r"[{}\x01]|  |\ba [aeio]\w", text):
                problems.append(f"odd filler: {text}")
        made += 20
    return problems


def every_passage():
    return patterns("train") + patterns("heldout")


def counts():
    lines = {"q": set(), "s": set()}
    for name, pool in WORDINGS.items():
        sort = "q" if ".q" in f".{name}" or name.endswith("nq") else "s"
        lines[sort] |= {line for line, _ in pool.lines}
    for relation in RELATIONS:
        lines["s"] |= {f"{relation.family} {line}" for line, _ in relation.statements.lines}
        lines["q"] |= {f"{relation.family} {line}" for each in relation.pools()[1:] for line, _ in each.lines}
    verbs = sum(len(c.verbs) for c in CLUSTERS)
    objects = sum(kind.size for kind in OBJECTS.values())
    return (f"{len(RELATIONS)} relations of {len({r.kind for r in RELATIONS})} kinds, {verbs} verbs in {len(CLUSTERS)} clusters, "
            f"{objects} object phrases before tails, {len(lines['s'])} statement wordings, {len(lines['q'])} question wordings, "
            f"{len(SPLITS['held'] - SPLITS['train'])} held out, {len(PATTERNS['sentence'])} filler patterns, "
            f"{len(every_passage())} passages with {sum(len(p.questions) + len(p.absent) for p in every_passage())} questions in "
            f"{sum(len(w) for p in every_passage() for w in [q[0] for q in p.questions] + p.absent)} wordings")


def facts_per_second():
    rng, begin = random.Random(3), time.perf_counter()
    for _ in range(20000):
        make_fact(rng)
    return 20000 / (time.perf_counter() - begin)


def print_samples(count, seed, split):
    rng = random.Random(seed)
    facts = make_facts(rng, count, split)
    for fact in facts:
        print(f"{fact.kind}: {fact.statement}")
        for question, answer in fact.qa:
            print(f"    {dress_question(rng, question)} -> {answer}")
    for question in absent_questions(rng, facts, max(1, count // 2), split):
        print(f"absent: {question}")
    for fact in needle_group(rng):
        print(f"needle: {fact.statement} {fact.qa[0]}")
    for passage in passages(rng, 1, split):
        told, left_open = passage.questions(rng)
        print(f"passage, {passage.kind}:\n{passage.text}", *(f"    {q} -> {a}" for q, a, _ in told), *(f"    {q} -> ?" for q in left_open), sep="\n")
    print(heading(rng), filler_paragraph(rng), list_item(rng), table_row(rng), sep="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=20, help="facts to print")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", choices=("train", "heldout"), default="train")
    parser.add_argument("--check", type=int, default=2000, help="facts to check")
    options = parser.parse_args()
    print_samples(options.sample, options.seed, options.split)
    print(counts())
    print(f"{facts_per_second():.0f} facts a second")
    problems = self_check(options.check)
    print(*problems[:40], sep="\n")
    print(f"{len(problems)} problems in {options.check} facts")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
