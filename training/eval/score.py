#!/usr/bin/env python3
"""Scores the answers of `glyph batch` against the truth that make_pages.py wrote.

    score.py DIR/truth.jsonl ANSWERS.jsonl [--json SCORES.json] [--show N] [--partial] [--check]

Prints a table per task and page count with counts and 95 % intervals. An item without an answer, or with an error, is wrong
(a page transcribed as nothing has 100 % of its characters wrong); --partial leaves out items that have no line at all.
Exit: 0 scored, 1 a target was missed and --check was given, 2 the files do not fit together.
"""

import argparse
import json
import sys
from dataclasses import dataclass, field

import judge
from intervals import bootstrap_rate_interval, wilson_interval

# Least share of right answers, or most character errors, by row; rows without an entry have no target.
TARGETS = {
    ("transcribe", 1): 0.005,
    ("needle", 1): 0.99,
    ("needle", 4): 0.95,
    ("needle", 10): 0.90,
    ("fact", 1): 0.85,
    ("absent", 1): 0.90,
}
TASKS = ("transcribe", "needle", "fact", "absent", "absent_needle", "quote_sentence", "quote_line")


class InputError(Exception):
    """A file that cannot be scored; the message is one sentence for the user."""


@dataclass
class Row:
    """One line of the table."""

    task: str
    pages: int
    kind: str = ""  # a part of the task's items, "" for all of them
    num_items: int = 0
    num_right: int = 0  # transcribe: pages without any error
    num_missing: int = 0  # no line, or an error instead of an answer
    num_refused: int = 0
    page_errors: list[tuple[int, int]] = field(default_factory=list)  # transcribe: (edit distance, characters)

    @property
    def is_error_rate(self) -> bool:
        return self.task == "transcribe"

    @property
    def value(self) -> float:
        """Share of right answers, or of wrong characters."""
        if self.is_error_rate:
            return sum(e for e, _ in self.page_errors) / max(1, sum(n for _, n in self.page_errors))
        return self.num_right / max(1, self.num_items)

    @property
    def interval(self) -> tuple[float, float]:
        if self.is_error_rate:
            return bootstrap_rate_interval(self.page_errors)
        return wilson_interval(self.num_right, self.num_items)

    @property
    def target(self) -> float | None:
        return None if self.kind else TARGETS.get((self.task, self.pages))

    @property
    def meets_target(self) -> bool | None:
        if self.target is None:
            return None
        return self.value <= self.target if self.is_error_rate else self.value >= self.target


def read_lines(path: str) -> list[tuple[int, dict]]:
    """(line number, object) of every line that is not blank."""
    found = []
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    found.append((number, json.loads(line)))
                    if not isinstance(found[-1][1], dict) or not isinstance(found[-1][1].get("id"), str):
                        raise InputError(f'{path}:{number}: not an object with an "id"')
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # bad JSON or bad UTF-8
        raise InputError(f"{path}: line {len(found) + 1} is not JSON in UTF-8: {error}") from error
    return found


def read_truth(path: str) -> list[dict]:
    items = [item for _, item in read_lines(path)]
    for item in items:
        if item.get("task") not in TASKS or not isinstance(item.get("pages"), int):
            raise InputError(f"{path}: item {item['id']} has no known task or no page count")
    if not items:
        raise InputError(f"{path}: no items")
    return items


def read_answers(path: str) -> dict[str, str | None]:
    """Answer by id, None for an error; of two lines with one id the later counts, as after a continued run."""
    return {item["id"]: item["answer"] if isinstance(item.get("answer"), str) else None for _, item in read_lines(path)}


def is_right(item: dict, answer: str) -> bool:
    task = item["task"]
    if task == "needle":
        return judge.is_needle_right(answer, item["value"], item["wrong"])
    if task == "fact":
        return judge.is_fact_right(answer, item["answers"])
    if task in ("absent", "absent_needle"):
        return judge.is_refusal(answer)
    return judge.is_quote_right(answer, item["text"])


def add_item(rows: list[Row], item: dict, answer: str | None) -> bool:
    """Counts one item in each of the rows; true where it was right."""
    if item["task"] == "transcribe":
        errors = judge.page_errors(answer or "", item["text"])
        right = errors[0] == 0
    else:
        errors = None
        right = answer is not None and is_right(item, answer)
    for row in rows:
        row.num_items += 1
        row.num_right += right
        row.num_missing += answer is None
        row.num_refused += answer is not None and judge.is_refusal(answer)
        if errors is not None:
            row.page_errors.append(errors)
    return right


def score(items: list[dict], answers: dict[str, str | None], partial: bool = False) -> tuple[list[Row], list[dict]]:
    """The rows of the table, in the order of TASKS, and the items that were wrong with the "got" answer in them."""
    rows: dict[tuple[str, int, str], Row] = {}
    wrong = []
    for item in items:
        if partial and item["id"] not in answers:
            continue
        task, pages = item["task"], item["pages"]
        kinds = ["", item["kind"]] if item.get("kind") else [""]
        hit = [rows.setdefault((task, pages, kind), Row(task, pages, kind)) for kind in kinds]
        answer = answers.get(item["id"])
        if not add_item(hit, item, answer):
            wrong.append({**item, "got": answer})
    return [rows[key] for key in sorted(rows, key=lambda key: (TASKS.index(key[0]), key[1], key[2]))], wrong


def percent(share: float) -> str:
    return f"{100 * share:.2f}" if share < 0.1 else f"{100 * share:.1f}"


def table(rows: list[Row]) -> str:
    """The rows as text; every figure in percent but the counts."""
    header = ("task", "pages", "items", "missing", "right", "value %", "95 %", "target", "")
    lines = [header]
    for row in rows:
        low, high = row.interval
        name = f"  {row.kind}" if row.kind else row.task + (" (char. error)" if row.is_error_rate else "")
        bound = "" if row.target is None else ("<= " if row.is_error_rate else ">= ") + percent(row.target)
        verdict = {None: "", True: "ok", False: "MISSED"}[row.meets_target]
        lines.append((name, str(row.pages), str(row.num_items), str(row.num_missing), str(row.num_right),
                      percent(row.value), f"{percent(low)} - {percent(high)}", bound, verdict))
    facts = [row for row in rows if row.task == "fact" and not row.kind]
    for row in facts:
        low, high = wilson_interval(row.num_refused, row.num_items)
        lines.append(("refused though told", str(row.pages), str(row.num_items), "", str(row.num_refused),
                      percent(row.num_refused / row.num_items), f"{percent(low)} - {percent(high)}", "", ""))
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    text = []
    for line in lines:
        cells = [line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)


def as_json(rows: list[Row]) -> list[dict]:
    """One object a row, for bench/results and the model card."""
    objects = []
    for row in rows:
        low, high = row.interval
        objects.append({"task": row.task, "pages": row.pages, "kind": row.kind, "items": row.num_items, "right": row.num_right,
                        "missing": row.num_missing, "refused": row.num_refused, "value": round(row.value, 6),
                        "low95": round(low, 6), "high95": round(high, 6), "target": row.target, "meets_target": row.meets_target})
    return objects


def show_wrong(wrong: list[dict], most: int) -> None:
    """Prints up to `most` wrong items of each task, shortened."""
    shown: dict[tuple[str, int], int] = {}
    for item in wrong:
        key = (item["task"], item["pages"])
        shown[key] = shown.get(key, 0) + 1
        if shown[key] > most:
            continue
        expected = item.get("answers") or item.get("value") or item.get("text") or judge.REFUSAL
        print(f"\n{item['id']}: {item.get('question', '')}\n  expected {str(expected)[:200]!r}\n  got      {str(item['got'])[:200]!r}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Scores the answers of `glyph batch` against truth.jsonl of make_pages.py.")
    parser.add_argument("truth")
    parser.add_argument("answers")
    parser.add_argument("--json", metavar="FILE", help="write the rows as JSON too")
    parser.add_argument("--show", metavar="N", type=int, default=0, help="print up to N wrong items of each task")
    parser.add_argument("--partial", action="store_true", help="leave out items that have no line (an unfinished run)")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is missed")
    options = parser.parse_args(arguments)
    try:
        items, answers = read_truth(options.truth), read_answers(options.answers)
        unknown = answers.keys() - {item["id"] for item in items}
        if unknown:
            raise InputError(f"{options.answers}: {len(unknown)} ids are not in {options.truth}, among them {min(unknown)}")
    except InputError as error:
        print(f"score: {error}", file=sys.stderr)
        return 2
    rows, wrong = score(items, answers, options.partial)
    print(table(rows))
    show_wrong(wrong, options.show)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(as_json(rows), file, indent=1)
            file.write("\n")
    missed = any(row.meets_target is False for row in rows)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
