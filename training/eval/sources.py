"""The text outside the corpus: the prose in prose/ and the documents of facts.jsonl, cut into paragraphs, blocks and sentences."""

import json
import os
import re
from dataclasses import dataclass

FOLDER = os.path.dirname(os.path.abspath(__file__))
BLOCK_FILES = ("blocks.txt", "code.txt", "dialogue.txt")  # line breaks matter: tables, lists, addresses, code, dialogue
SHORTEST_PARAGRAPH = 200  # characters of a line of the facts' documents that counts as a paragraph

# White space behind the end of a sentence, not behind an initial or a title.
SENTENCE_END = re.compile(r"(?<=[a-z0-9)][.!?])(?<!\bmrs\.)(?<!\bMr\.)(?<!\bDr\.)(?<!\bProf\.)(?<!\bno\.)\s+")
# A sentence that stands for itself: starts with a capital, ends with a full stop, no quotation marks, no inner full stop.
PLAIN_SENTENCE = re.compile(r"[A-Z][^.!?\"':;()]{40,220}\.")


@dataclass
class Sources:
    """All texts, in a fixed order."""

    paragraphs: list[str]  # one source line each, of running prose and of the facts' documents
    blocks: list[str]  # several source lines each
    sentences: list[str]  # plain sentences of the prose and of the facts' documents, each once
    facts: list[dict]  # as in facts.jsonl


def read_facts() -> list[dict]:
    with open(os.path.join(FOLDER, "facts.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def plain_sentences(line: str) -> list[str]:
    """The sentences of one source line that can be cut out without doubt about where they begin and end."""
    return [part for part in SENTENCE_END.split(line) if PLAIN_SENTENCE.fullmatch(part)]


def read_sources() -> Sources:
    prose_folder = os.path.join(FOLDER, "prose")
    paragraphs, blocks, sentences = [], [], []
    for name in sorted(os.listdir(prose_folder)):
        with open(os.path.join(prose_folder, name), encoding="utf-8") as file:
            parts = file.read().strip("\n").split("\n\n")
        if name in BLOCK_FILES:
            blocks += parts
        else:
            paragraphs += parts
            sentences += [sentence for part in parts for sentence in plain_sentences(part)]
    facts = read_facts()
    for document in facts:
        for line in document["text"].split("\n"):
            sentences += plain_sentences(line)
            if len(line) >= SHORTEST_PARAGRAPH:
                paragraphs.append(line)
    return Sources(paragraphs, blocks, list(dict.fromkeys(sentences)), facts)
