"""Tests of the evaluation set and its builder: python3 -m unittest discover -s training/eval"""

import contextlib
import io
import json
import os
import random
import re
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import documents
import judge
import layout
import make_pages
import score
from sources import plain_sentences, read_facts, read_sources

SOURCES = read_sources()


class FactsFile(unittest.TestCase):
    def test_every_document_is_complete(self):
        facts = read_facts()
        self.assertGreaterEqual(len(facts), 160)
        self.assertEqual(len({document["id"] for document in facts}), len(facts))
        for document in facts:
            name = document["id"]
            self.assertTrue(60 <= len(document["text"].split()) <= 400, name)
            told = [question for question in document["questions"] if "answers" in question]
            absent = [question for question in document["questions"] if question.get("absent")]
            self.assertIn(len(told), (3, 4), name)
            self.assertIn(len(absent), (1, 2), name)
            self.assertEqual(len(told) + len(absent), len(document["questions"]), name)

    def test_an_accepted_answer_stands_in_the_text_and_is_right(self):
        for document in read_facts():
            text = judge.fold_space(document["text"]).lower()
            for question in document["questions"]:
                answers = question.get("answers", [])
                if answers:
                    self.assertTrue(any(answer.lower() in text for answer in answers), (document["id"], question["q"]))
                for answer in answers:
                    self.assertTrue(judge.is_fact_right(answer, answers), (document["id"], answer))


class Layout(unittest.TestCase):
    def test_widths_and_wrapping(self):
        self.assertAlmostEqual(layout.width_pt("A i"), (1401 + 651 + 569) * 9 / 2048)
        self.assertEqual(layout.wrap(""), [""])
        drawn = layout.wrap("every word counts " * 40)
        self.assertGreater(len(drawn), 4)
        self.assertTrue(all(layout.width_pt(line) <= layout.WRAP_WIDTH_PT for line in drawn))
        self.assertEqual(layout.num_lines("one\n\nthree"), 3)

    def test_sentences_are_not_cut_at_initials_and_titles(self):
        self.assertEqual(plain_sentences("The book by Major T. Undershaft was found behind a dresser in May. It rained."), [])
        line = "The reading at noon is missing since the lamp had failed. Nobody in the whole of the town had noticed it."
        self.assertEqual(len(plain_sentences(line)), 2)


class Pages(unittest.TestCase):
    def test_whole_pages_are_full_and_fit_one_page(self):
        for kind, make in make_pages.PAGE_KINDS.items():
            for seed in range(5):
                text = make(SOURCES, random.Random(seed))
                lines = layout.num_lines(text)
                self.assertTrue(70 <= lines <= layout.LINES_PER_PAGE, (kind, lines))
                if kind != "mixed":
                    self.assertTrue(7000 <= len(text) <= 9500, (kind, len(text)))

    def test_no_paragraph_comes_twice_on_a_mixed_page(self):
        for seed in range(20):
            lines = [line for line in documents.mixed_page(SOURCES, random.Random(seed)).split("\n") if len(line) > 100]
            self.assertEqual(len(lines), len(set(lines)))

    def test_typographic_pages_have_curly_marks_only(self):
        self.assertEqual(documents.typographic('"It\'s 3-4," he said.'), "\u201cIt\u2019s 3\u20134,\u201d he said.")

    def test_needles_stand_once_each_and_one_wrong_key_is_half_right(self):
        for num_pages in (1, 4, 10):
            for seed in range(3):
                needles = documents.needle_document(SOURCES, random.Random(seed), num_pages)
                found = re.findall(r"One of the special magic numbers for (\S+-\S+) is: (\d{7})\. ", needles.text)
                self.assertEqual(len(found), 4)
                self.assertEqual(dict(found)[needles.key], needles.value)
                wrong = {key: value for key, value in found if key != needles.key}
                self.assertEqual(sorted(wrong.values()), sorted(needles.wrong))
                halves = set(needles.key.split("-"))
                self.assertEqual(sum(bool(halves & set(key.split("-"))) for key in wrong), 1)
                lines = layout.num_lines(needles.text)
                self.assertTrue(layout.LINES_PER_PAGE * (num_pages - 1) + 40 < lines <= layout.LINES_PER_PAGE * num_pages - 3)

    def test_words_to_quote_by_occur_in_one_unit_only(self):
        for seed in range(10):
            for make in (documents.quote_sentence, documents.quote_line):
                quote = make(SOURCES, random.Random(seed))
                self.assertIn(quote.text, quote.page)
                if quote.kind == "phrase":
                    self.assertEqual(judge.fold_space(quote.page).count(quote.words), 1)
                else:
                    self.assertTrue(all(word in quote.text for word in quote.words.split(", ")))
                self.assertLessEqual(layout.num_lines(quote.page), layout.LINES_PER_PAGE)


class CommandLine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def make(self, name, *arguments):
        out = os.path.join(self.folder, name)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            status = make_pages.main(["--out", out, "--size", "quick", *arguments])
        return status, out

    def read(self, *path):
        with open(os.path.join(*path), encoding="utf-8") as file:
            return file.read()

    def test_the_same_seed_gives_the_same_files(self):
        truths = [self.read(self.make(name, "--seed", seed)[1], "truth.jsonl") for name, seed in [("a", "3"), ("b", "3"), ("c", "4")]]
        self.assertEqual(truths[0], truths[1])
        self.assertNotEqual(truths[0], truths[2])

    def test_true_answers_score_perfectly(self):
        status, out = self.make("a", "--counts", "facts=100000,absent=100000")
        self.assertEqual(status, 0)
        batch = [json.loads(line) for line in self.read(out, "input.jsonl").splitlines()]
        truths = [json.loads(line) for line in self.read(out, "truth.jsonl").splitlines()]
        self.assertEqual([line["id"] for line in batch], [truth["id"] for truth in truths])
        for line, truth in zip(batch, truths):
            text = self.read(line["files"][0])
            self.assertEqual(line["question"], truth["question"])
            self.assertIn(truth.get("value", truth.get("text", "")).strip(), text)
        answers = {truth["id"]: truth.get("value") or truth.get("text") or truth.get("answers", [judge.REFUSAL])[0] for truth in truths}
        rows, wrong = score.score(truths, answers)
        self.assertEqual(wrong, [])
        self.assertEqual(sum(row.meets_target is True for row in rows), len(score.TARGETS))

    def test_counts(self):
        status, out = self.make("a", "--counts", "facts=170,absent=0,needle10=0,transcribe=1")
        self.assertEqual(status, 0)
        truths = [json.loads(line) for line in self.read(out, "truth.jsonl").splitlines()]
        facts = [truth["id"].rsplit("-", 1)[0] for truth in truths if truth["task"] == "fact"]
        self.assertEqual(len(facts), 170)
        self.assertEqual(len(set(facts)), len(SOURCES.facts))
        self.assertFalse(any(truth["pages"] == 10 or truth["task"] == "absent" for truth in truths))

    def test_a_count_of_an_unknown_name_is_refused(self):
        for counts in ("needle7=3", "facts=many", "facts"):
            self.assertEqual(self.make("a", "--counts", counts)[0], 2)


if __name__ == "__main__":
    unittest.main()
