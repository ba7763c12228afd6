"""Tests of the scorer: python3 -m unittest discover -s training/eval"""

import contextlib
import io
import json
import os
import random
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import judge
import score
from edit_distance import levenshtein
from intervals import bootstrap_rate_interval, wilson_interval


def levenshtein_by_table(a: str, b: str) -> int:
    """The plain dynamic programme, as the specification."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


class EditDistance(unittest.TestCase):
    def test_known_pairs(self):
        for a, b, distance in [("", "", 0), ("abc", "", 3), ("", "xy", 2), ("kitten", "sitting", 3), ("same", "same", 0),
                               ("flaw", "lawn", 2), ("aaaa", "aaaaaa", 2), ("\u00e9t\u00e9", "ete", 2)]:
            self.assertEqual(levenshtein(a, b), distance, (a, b))

    def test_equals_the_table_on_random_strings(self):
        draw = random.Random(7)
        for _ in range(400):
            a = "".join(draw.choice("abc ") for _ in range(draw.randrange(90)))
            b = "".join(draw.choice("abc ") for _ in range(draw.randrange(90)))
            self.assertEqual(levenshtein(a, b), levenshtein_by_table(a, b), (a, b))

    def test_a_page_with_a_hundred_errors_is_quick(self):
        draw = random.Random(8)
        page = "".join(draw.choice("etaoin shrdlu") for _ in range(9000))
        other = list(page)
        for i in draw.sample(range(9000), 100):
            other[i] = "#"
        start = time.monotonic()
        self.assertEqual(levenshtein(page, "".join(other)), 100)
        self.assertLess(time.monotonic() - start, 3.0)


class Facts(unittest.TestCase):
    def test_case_punctuation_and_articles_do_not_matter(self):
        self.assertTrue(judge.is_fact_right("a bruised Ankle.", ["The bruised ankle"]))
        self.assertTrue(judge.is_fact_right("1,240 g", ["1240 g"]))
        self.assertTrue(judge.is_fact_right("Pruetts", ["Pruett's"]))
        self.assertTrue(judge.is_fact_right("17\u201312", ["17-12"]))

    def test_decimals_and_times_are_not_taken_apart(self):
        self.assertFalse(judge.is_fact_right("35", ["3.5"]))
        self.assertFalse(judge.is_fact_right("3.5", ["5"]))
        self.assertFalse(judge.is_fact_right("12:45", ["45"]))

    def test_an_answer_may_be_three_words_longer(self):
        self.assertTrue(judge.is_fact_right("It was Greta Lindqvist", ["Greta Lindqvist"]))
        self.assertTrue(judge.is_fact_right("It was indeed Greta Lindqvist", ["Greta Lindqvist"]))
        self.assertFalse(judge.is_fact_right("I think it was Greta Lindqvist", ["Greta Lindqvist"]))

    def test_parts_other_words_and_refusals_are_wrong(self):
        self.assertFalse(judge.is_fact_right("Greta", ["Greta Lindqvist"]))
        self.assertFalse(judge.is_fact_right("Gretas Lindqvist", ["Greta Lindqvist"]))
        self.assertFalse(judge.is_fact_right("", ["Greta"]))
        self.assertFalse(judge.is_fact_right("The document does not say.", ["say"]))


class Refusals(unittest.TestCase):
    def test_only_the_refusal_sentence_counts(self):
        self.assertTrue(judge.is_refusal("The document does not say."))
        self.assertTrue(judge.is_refusal("the document does not say"))
        self.assertTrue(judge.is_refusal("The document does not say. It only names the town."))
        self.assertFalse(judge.is_refusal("Not said."))
        self.assertFalse(judge.is_refusal("In May. The document does not say."))
        self.assertFalse(judge.is_refusal(""))


class Needles(unittest.TestCase):
    def test_value_and_no_wrong_value(self):
        wrong = ["7654321", "1111111"]
        self.assertTrue(judge.is_needle_right("1234567", "1234567", wrong))
        self.assertTrue(judge.is_needle_right("It is 1,234,567.", "1234567", wrong))
        self.assertFalse(judge.is_needle_right("1234567 or 7654321", "1234567", wrong))
        self.assertFalse(judge.is_needle_right("7654321", "1234567", wrong))
        self.assertFalse(judge.is_needle_right("12345678", "1234567", wrong))
        self.assertFalse(judge.is_needle_right("The document does not say.", "1234567", wrong))


class Quotes(unittest.TestCase):
    def test_exact_but_for_white_space_and_marks_around(self):
        self.assertTrue(judge.is_quote_right("It creaks  in\nall places.", "It creaks in all places."))
        self.assertTrue(judge.is_quote_right('"It creaks."', "It creaks."))
        self.assertFalse(judge.is_quote_right("It creaks", "It creaks."))
        self.assertFalse(judge.is_quote_right("It creaks. And more.", "It creaks."))


class Intervals(unittest.TestCase):
    def test_wilson(self):
        low, high = wilson_interval(90, 100)
        self.assertAlmostEqual(low, 0.8256, places=3)
        self.assertAlmostEqual(high, 0.9448, places=3)
        self.assertEqual(wilson_interval(0, 0), (0.0, 1.0))
        self.assertEqual(wilson_interval(50, 50)[1], 1.0)
        self.assertEqual(wilson_interval(0, 50)[0], 0.0)

    def test_bootstrap(self):
        self.assertEqual(bootstrap_rate_interval([(5, 1000)] * 4), (0.005, 0.005))
        low, high = bootstrap_rate_interval([(0, 1000), (10, 1000), (20, 1000)])
        self.assertTrue(0.0 <= low < 0.01 < high <= 0.02)


ITEMS = [
    {"id": "t", "task": "transcribe", "pages": 1, "kind": "prose", "text": "abcd\n  efghi"},
    {"id": "n1", "task": "needle", "pages": 4, "value": "1234567", "wrong": ["7654321"]},
    {"id": "n2", "task": "needle", "pages": 4, "value": "2234567", "wrong": ["7654321"]},
    {"id": "f1", "task": "fact", "pages": 1, "answers": ["ash"]},
    {"id": "f2", "task": "fact", "pages": 1, "answers": ["oak"]},
    {"id": "a", "task": "absent", "pages": 1},
    {"id": "q", "task": "quote_line", "pages": 1, "text": "one line"},
]
ANSWERS = {"t": "abcd efXhi", "n1": "1234567", "n2": None, "f1": "Ash.", "f2": judge.REFUSAL, "a": judge.REFUSAL}


class Scoring(unittest.TestCase):
    def rows(self, partial=False):
        rows, wrong = score.score(ITEMS, ANSWERS, partial)
        return {(row.task, row.kind): row for row in rows}, [item["id"] for item in wrong]

    def test_counts(self):
        rows, wrong = self.rows()
        self.assertEqual(wrong, ["t", "n2", "f2", "q"])
        self.assertAlmostEqual(rows["transcribe", ""].value, 0.1)
        self.assertEqual(rows["transcribe", "prose"].num_items, 1)
        self.assertEqual((rows["needle", ""].num_right, rows["needle", ""].num_missing), (1, 1))
        self.assertEqual((rows["fact", ""].value, rows["fact", ""].num_refused), (0.5, 1))
        self.assertEqual(rows["absent", ""].value, 1.0)
        self.assertEqual((rows["quote_line", ""].num_items, rows["quote_line", ""].num_missing), (1, 1))

    def test_partial_leaves_out_items_without_a_line_but_not_errors(self):
        rows, wrong = self.rows(partial=True)
        self.assertNotIn(("quote_line", ""), rows)
        self.assertEqual(rows["needle", ""].num_items, 2)
        self.assertEqual(wrong, ["t", "n2", "f2"])

    def test_targets(self):
        rows, _ = self.rows()
        self.assertIs(rows["transcribe", ""].meets_target, False)
        self.assertIsNone(rows["transcribe", "prose"].meets_target)
        self.assertIs(rows["absent", ""].meets_target, True)
        self.assertIsNone(rows["quote_line", ""].meets_target)

    def test_a_page_without_an_answer_has_all_characters_wrong(self):
        rows, _ = score.score(ITEMS[:1], {})
        self.assertEqual(rows[0].value, 1.0)

    def test_the_table_names_each_row(self):
        text = score.table(score.score(ITEMS, ANSWERS)[0])
        for part in ("transcribe (char. error)", "needle", "refused though told", "MISSED", "ok", "10.0"):
            self.assertIn(part, text)


class CommandLine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, lines):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
        return path

    def run_score(self, *arguments):
        """(exit status, stdout, stderr)"""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = score.main(list(arguments))
        return status, out.getvalue(), err.getvalue()

    def answer_lines(self):
        return [{"id": key, "error": "x"} if text is None else {"id": key, "answer": text} for key, text in ANSWERS.items()]

    def test_scores_files_and_writes_json(self):
        truth, answers = self.write("t.jsonl", ITEMS), self.write("a.jsonl", self.answer_lines())
        result = os.path.join(self.folder, "s.json")
        status, out, _ = self.run_score(truth, answers, "--json", result, "--show", "2")
        self.assertEqual(status, 0)
        self.assertIn("n2: ", out)
        with open(result, encoding="utf-8") as file:
            rows = json.load(file)
        self.assertEqual(rows[0]["task"], "transcribe")
        self.assertEqual(rows[0]["value"], 0.1)
        self.assertEqual(self.run_score(truth, answers, "--check")[0], 1)

    def test_the_later_of_two_lines_counts(self):
        truth = self.write("t.jsonl", ITEMS[3:4])
        answers = self.write("a.jsonl", [{"id": "f1", "error": "x"}, {"id": "f1", "answer": "ash"}])
        self.assertEqual(self.run_score(truth, answers, "--check")[0], 0)

    def test_files_that_do_not_fit_are_named(self):
        truth = self.write("t.jsonl", ITEMS)
        for lines, part in [([{"id": "stranger", "answer": "x"}], "stranger"), (['{"id": "t", "answ'], "line 1 is not JSON"),
                            (["[1]\n"], 'not an object with an "id"')]:
            status, _, err = self.run_score(truth, self.write("bad.jsonl", lines))
            self.assertEqual(status, 2)
            self.assertIn("bad.jsonl", err)
            self.assertIn(part, err)
        status, _, err = self.run_score(truth, os.path.join(self.folder, "none.jsonl"))
        self.assertEqual(status, 2)
        self.assertIn("none.jsonl", err)
        status, _, err = self.run_score(self.write("odd.jsonl", [{"id": "x", "task": "sing", "pages": 1}]), truth)
        self.assertEqual(status, 2)
        self.assertIn("no known task", err)


if __name__ == "__main__":
    unittest.main()
