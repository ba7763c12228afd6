"""Decides whether one answer is right: the rules of each task, without files or tables."""

import re
import unicodedata

from edit_distance import levenshtein

REFUSAL = "The document does not say."
MOST_EXTRA_WORDS = 3  # an answer may be this much longer than an accepted one that it contains


def fold_space(text: str) -> str:
    """Runs of white space become one space; none at the ends."""
    return " ".join(text.split())


def words_of(text: str) -> list[str]:
    """Lower-case words without punctuation and articles; decimal points stay, thousands separators go: "The 1,240 g." -> 1240 g."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"['\u2018\u2019]", "", text)
    words = re.findall(r"\d+(?:[.:]\d+)+|\w+", text)
    return [word for word in words if word not in ("a", "an", "the")]


def contains_words(words: list[str], part: list[str]) -> bool:
    """True where part stands in words as it is, without gaps."""
    return any(words[i : i + len(part)] == part for i in range(len(words) - len(part) + 1))


def is_refusal(answer: str) -> bool:
    """True for the refusal sentence, alone or followed by more."""
    refusal = words_of(REFUSAL)
    return words_of(answer)[: len(refusal)] == refusal


def is_fact_right(answer: str, accepted: list[str]) -> bool:
    """True where the answer is an accepted one, or contains one and is at most MOST_EXTRA_WORDS words longer."""
    if is_refusal(answer):
        return False
    words = words_of(answer)
    for text in accepted:
        part = words_of(text)
        if part and len(words) <= len(part) + MOST_EXTRA_WORDS and contains_words(words, part):
            return True
    return False


def is_needle_right(answer: str, value: str, wrong: list[str]) -> bool:
    """True where the value stands in the answer as a whole number and no wrong value does; digits may be grouped by commas."""
    numbers = set(re.findall(r"\d+", re.sub(r"(?<=\d),(?=\d)", "", answer)))
    return value in numbers and numbers.isdisjoint(wrong)


def is_quote_right(answer: str, text: str) -> bool:
    """True where the answer is the text, white space folded; quotation marks around the answer are allowed."""
    answer, text = fold_space(answer), fold_space(text)
    if answer == text:
        return True
    pairs = (('"', '"'), ("'", "'"), ("\u201c", "\u201d"), ("\u2018", "\u2019"))
    return any(answer == left + text + right for left, right in pairs)


def page_errors(answer: str, text: str) -> tuple[int, int]:
    """(edit distance, characters of the page), both texts with white space folded."""
    answer, text = fold_space(answer), fold_space(text)
    return levenshtein(answer, text), len(text)
