#!/usr/bin/env python3
"""Writes the evaluation of glyph-mini: text files, the input of `glyph batch` and the truth for score.py.

    make_pages.py --out DIR [--seed N] [--size quick|default|full] [--counts transcribe=14,needle10=24,...]

DIR/texts/*.txt, DIR/input.jsonl, DIR/truth.jsonl; the same seed and counts give the same texts and questions.
"""

import argparse
import json
import os
import random
import sys
from collections.abc import Callable, Iterator

import documents
from sources import Sources, read_sources

SIZES = {  # items of each kind; by SECONDS below about 4, 24 and 135 minutes
    "quick": {"transcribe": 3, "needle1": 8, "needle4": 5, "needle10": 3, "absent_needle": 4, "quote_sentence": 4, "quote_line": 4,
              "facts": 60, "absent": 30},
    "default": {"transcribe": 14, "needle1": 60, "needle4": 36, "needle10": 24, "absent_needle": 20, "quote_sentence": 20,
                "quote_line": 20, "facts": 300, "absent": 150},
    "full": {"transcribe": 100, "needle1": 400, "needle4": 300, "needle10": 200, "absent_needle": 200, "quote_sentence": 200,
             "quote_line": 200, "facts": 100000, "absent": 100000},
}
MAX_TOKENS = {"transcribe": 8192, "needle": 48, "absent_needle": 48, "fact": 64, "absent": 64, "quote_sentence": 256, "quote_line": 256}
SECONDS = {"page": 1.0, "answer": 0.3, "transcribe": 18.0, "quote_sentence": 1.0, "quote_line": 1.0}  # rough, for the estimate

ASK_TRANSCRIBE = ("Transcribe the page.", "Write out the text of the page.", "Please transcribe this page.")
ASK_NEEDLE = ("What is the special magic number for {key}?",)
ASK_SENTENCE = {
    "phrase": ('Quote the sentence that contains "{words}".', 'Which sentence has "{words}" in it? Quote it.'),
    "words": ("Quote the sentence that contains the words {words}.", "Quote the sentence with the words {words}."),
}
ASK_LINE = {
    "phrase": ('Quote the line that contains "{words}".', 'Which line has "{words}" in it? Quote it.'),
    "words": ("Quote the line that contains the words {words}.", "Quote the line with the words {words}."),
}
PAGE_KINDS: dict[str, Callable[[Sources, random.Random], str]] = {
    "prose": documents.prose_page,
    "mixed": documents.mixed_page,
    "sentences": documents.sentence_page,
    "typographic": lambda sources, draw: documents.typographic(documents.prose_page(sources, draw)),
}

# An item: its truth with "id", "task", "pages", "question", and beside it the name and the text of its file.
Item = tuple[dict, str, str]


def transcribe_items(sources: Sources, draw: random.Random, num: int) -> Iterator[Item]:
    kinds = list(PAGE_KINDS)
    for i in range(num):
        kind = kinds[i % len(kinds)]
        text = PAGE_KINDS[kind](sources, draw)
        name = f"transcribe-{i:03d}"
        yield {"id": name, "task": "transcribe", "pages": 1, "kind": kind, "question": draw.choice(ASK_TRANSCRIBE), "text": text}, name, text


def needle_items(sources: Sources, draw: random.Random, num: int, num_pages: int) -> Iterator[Item]:
    for i in range(num):
        needles = documents.needle_document(sources, draw, num_pages)
        name = f"needle-{num_pages:02d}-{i:03d}"
        question = draw.choice(ASK_NEEDLE).format(key=needles.key)
        yield {"id": name, "task": "needle", "pages": num_pages, "question": question, "value": needles.value,
               "wrong": needles.wrong}, name, needles.text


def absent_needle_items(sources: Sources, draw: random.Random, num: int) -> Iterator[Item]:
    """A page with needles, asked about a key that it lacks."""
    for i in range(num):
        needles = documents.needle_document(sources, draw, 1)
        key = next(key for key in iter(lambda: documents.make_keys(draw)[0], None) if key not in needles.text)
        name = f"absent-needle-{i:03d}"
        yield {"id": name, "task": "absent_needle", "pages": 1, "question": draw.choice(ASK_NEEDLE).format(key=key)}, name, needles.text


def quote_items(sources: Sources, draw: random.Random, num: int, task: str) -> Iterator[Item]:
    make, ask = {"quote_sentence": (documents.quote_sentence, ASK_SENTENCE), "quote_line": (documents.quote_line, ASK_LINE)}[task]
    for i in range(num):
        quote = make(sources, draw)
        name = f"{task.replace('_', '-')}-{i:03d}"
        question = draw.choice(ask[quote.kind]).format(words=quote.words)
        yield {"id": name, "task": task, "pages": 1, "kind": quote.kind, "question": question, "text": quote.text}, name, quote.page


def pick_questions(sources: Sources, draw: random.Random, num: int, absent: bool) -> set[tuple[str, int]]:
    """(document, position of the question): every document gives one before any gives a second."""
    turns: list[list[tuple[str, int]]] = []
    for document in sources.facts:
        positions = [i for i, question in enumerate(document["questions"]) if question.get("absent", False) == absent]
        for turn, position in enumerate(draw.sample(positions, len(positions))):
            if turn == len(turns):
                turns.append([])
            turns[turn].append((document["id"], position))
    order = [question for turn in turns for question in draw.sample(turn, len(turn))]
    return set(order[:num])


def fact_items(sources: Sources, draw: random.Random, num_facts: int, num_absent: int) -> Iterator[Item]:
    """The questions of facts.jsonl, document by document, so that a cache of pages can help."""
    chosen = pick_questions(sources, draw, num_facts, False) | pick_questions(sources, draw, num_absent, True)
    for document in sources.facts:
        for i, question in enumerate(document["questions"]):
            if (document["id"], i) not in chosen:
                continue
            truth = {"id": f"fact-{document['id']}-{i}", "task": "absent" if question.get("absent") else "fact", "pages": 1,
                     "question": question["q"]}
            if "answers" in question:
                truth["answers"] = question["answers"]
            yield truth, f"fact-{document['id']}", document["text"]


def make_items(sources: Sources, seed: int, counts: dict[str, int]) -> Iterator[Item]:
    """All items; each task draws from its own generator, so that the count of one does not change another."""
    def draw(task: str) -> random.Random:
        return random.Random(f"{seed}/{task}")

    yield from transcribe_items(sources, draw("transcribe"), counts["transcribe"])
    for num_pages in (1, 4, 10):
        task = f"needle{num_pages}"
        yield from needle_items(sources, draw(task), counts[task], num_pages)
    yield from absent_needle_items(sources, draw("absent_needle"), counts["absent_needle"])
    for task in ("quote_sentence", "quote_line"):
        yield from quote_items(sources, draw(task), counts[task], task)
    yield from fact_items(sources, draw("facts"), counts["facts"], counts["absent"])


def write(out: str, items: Iterator[Item]) -> list[dict]:
    """Writes the folder; returns the truth."""
    texts = os.path.join(out, "texts")
    os.makedirs(texts, exist_ok=True)
    truths = []
    with open(os.path.join(out, "input.jsonl"), "w", encoding="utf-8") as batch:
        for truth, name, text in items:
            path = os.path.abspath(os.path.join(texts, f"{name}.txt"))
            with open(path, "w", encoding="utf-8", newline="\n") as file:
                file.write(text.rstrip("\n") + "\n")
            line = {"id": truth["id"], "files": [path], "question": truth["question"], "max_tokens": MAX_TOKENS[truth["task"]]}
            batch.write(json.dumps(line) + "\n")
            truths.append(truth)
    with open(os.path.join(out, "truth.jsonl"), "w", encoding="utf-8") as file:
        file.writelines(json.dumps(truth) + "\n" for truth in truths)
    return truths


def parse_counts(text: str, size: str) -> dict[str, int]:
    counts = dict(SIZES[size])
    for part in filter(None, text.split(",")):
        name, _, number = part.partition("=")
        if name not in counts or not number.isdigit():
            raise ValueError(f"--counts: {part!r} is not NAME=NUMBER with a name of {', '.join(counts)}")
        counts[name] = int(number)
    return counts


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Writes the evaluation of glyph-mini for `glyph batch`.")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write; files of an earlier run are overwritten")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", choices=SIZES, default="default")
    parser.add_argument("--counts", default="", metavar="NAME=N,...", help="other counts than the size's, such as needle10=5,facts=0")
    options = parser.parse_args(arguments)
    try:
        counts = parse_counts(options.counts, options.size)
    except ValueError as error:
        print(f"make_pages: {error}", file=sys.stderr)
        return 2
    truths = write(options.out, make_items(read_sources(), options.seed, counts))
    seconds = sum(t["pages"] * SECONDS["page"] + SECONDS.get(t["task"], SECONDS["answer"]) for t in truths)
    print(f"{len(truths)} questions; about {seconds / 60:.0f} minutes at {SECONDS['page']:.0f} s a page")
    return 0


if __name__ == "__main__":
    sys.exit(main())
