"""Short texts of many kinds, written for training, whose names and numbers change, with questions in many wordings.

passages/*.txt hold passages, apart by lines of `====`. The first line of a passage is `@ kind`; its text follows, a line for each line or paragraph,
up to the first question:

    ? a wording | another wording | a third
    = the answer, a piece of the text
    ! a question that the text leaves open | the same in other words

`{name:kind}` is a field where it stands first and `{name}` the same words elsewhere, in questions and answers, too; `{name.first}` and `{name.last}` are
parts of a person's name. FIELDS has the kinds; `{day:3-12}` is a number in digits, `{day:words 3-12}` in words, `{fruit:plum|quince|fig}` one of these.

A twelfth of the passages is held out.
"""
import functools
import re
import zlib
from dataclasses import dataclass

from . import names, values
from .grammar import in_words
from .pools import DATA, POOLS, pick

FIELD = re.compile(r"\{(\w+)(?:\.(first|last))?(?::([^{}]+))?\}")
NUMBERS = re.compile(r"(words )?(\d+)-(\d+)")
WORD = re.compile(r"[^\W\d_]{4,}|\d+")
SENTENCE_END = re.compile(r"(?<=[.!?:])[\"')]?\s+")
HELD_OUT_PERCENT = 8
LEFT_OUT = 0.6   # of the passages lack a sentence


def code(rng):
    return pick((lambda: f"{values.digits(4, rng)}-{values.letters(1, rng)}", lambda: f"{values.letters(2, rng)}-{values.digits(3, rng)}",
                 lambda: f"{values.letters(1, rng)}{values.digits(5, rng)}", lambda: f"{values.digits(3, rng)}/{values.digits(2, rng)}"), rng)()


def day(rng):
    number, month = 1 + int(rng.random() * 28), pick(values.MONTHS, rng)
    return pick((f"{number} {month}", f"{number} {month}", f"{month} {number}"), rng)


def price(rng):
    amount = f"{1 + int(rng.random() * 180)}.{int(rng.random() * 20) * 5:02}"
    return pick(("{} euros", "€{}", "£{}", "${}", "{} francs"), rng).format(amount)


FIELDS = {
    "man": lambda rng: f"{pick(POOLS['man'], rng)} {names.surname(rng)}",
    "woman": lambda rng: f"{pick(POOLS['woman'], rng)} {names.surname(rng)}",
    "person": lambda rng: f"{names.forename(rng)} {names.surname(rng)}",
    "surname": names.surname,
    "town": names.place_name,
    "street": names.street,
    "company": lambda rng: f"{pick((names.surname, names.syllables), rng)(rng)} {pick(('Ltd', '& Sons', 'Works', 'Group', 'Brothers', 'Supplies', 'Press'), rng)}",
    "weekday": lambda rng: pick(POOLS["weekday"], rng),
    "month": lambda rng: pick(values.MONTHS, rng),
    "day": day,
    "date": values.day,
    "year": lambda rng: str(values.year_between(1840, 2026, rng)),
    "time": values.clock,
    "price": price,
    "sum": lambda rng: values.money(rng, 200, 90000),
    "percent": values.percent,
    "phone": values.phone,
    "email": names.email,
    "code": code,
}


@dataclass
class Pattern:
    """A passage as it is written. questions: (wordings, answer); absent: wordings of each."""
    where: str
    kind: str
    text: str
    questions: list
    absent: list

    @property
    def held_out(self):
        return zlib.crc32(self.text.encode()) % 100 < HELD_OUT_PERCENT


@dataclass
class Passage:
    """A pattern with its fields filled in, now and then without one sentence."""
    kind: str
    text: str
    pattern: Pattern
    known: dict

    def questions(self, rng):
        """-> [(question, answer, the sentence that tells)] in any order, the same questions in other words behind all others, and questions that the
        text leaves open. Where a sentence was left out, its questions are among these: their wording does not say whether they are answered."""
        told, left_open = ([], []), [fill_fields(pick(wordings, rng), self.known, rng) for wordings in self.pattern.absent]
        sentences, low = sentences_of(self.text), self.text.lower()
        for wordings, answer in self.pattern.questions:
            answer = fill_fields(answer, self.known, rng)
            for said, wording in enumerate(rng.sample(wordings, min(2, len(wordings)))):
                question = fill_fields(wording, self.known, rng)
                sentence = telling_sentence(sentences, question, answer)
                if sentence is not None:   # an answer may also reach over the end of a sentence: then it is not asked for
                    told[said].append((question, answer, sentence))
                elif answer.lower() not in low:
                    left_open.append(question)
        for part in (*told, left_open):
            rng.shuffle(part)
        return told[0] + told[1], left_open


def read_pattern(block, where):
    lines = block.strip("\n").splitlines()
    if not lines or not lines[0].startswith("@ "):
        raise ValueError(f"{where}: a passage begins with '@ kind'")
    text, questions, absent = [], [], []
    for line in lines[1:]:
        wordings = [w.strip() for w in line[2:].split(" | ")]
        if line.startswith("? "):
            questions.append([wordings, None])
        elif line.startswith("= ") and questions and questions[-1][1] is None:
            questions[-1][1] = line[2:].strip()
        elif line.startswith("! "):
            absent.append(wordings)
        elif questions or absent:
            if line.strip():
                raise ValueError(f"{where}: '{line}' is no question, answer or open question")
        else:
            text.append(line.rstrip())
    if any(answer is None for _, answer in questions) or not questions:
        raise ValueError(f"{where}: a question has no answer, or there is none")
    return Pattern(where, lines[0][2:].strip(), "\n".join(text).strip("\n"), questions, absent)


def read_patterns(path):
    blocks = re.split(r"^====+\s*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [read_pattern(block, f"{path.name}, passage {i + 1}") for i, block in enumerate(blocks) if block.strip()]


@functools.cache
def patterns(split):
    """The passages of 'train' or 'heldout'."""
    every = [pattern for path in sorted((DATA / "passages").glob("*.txt")) for pattern in read_patterns(path)]
    return [pattern for pattern in every if pattern.held_out == (split == "heldout")]


def value_of(kind, rng):
    if numbers := NUMBERS.fullmatch(kind):
        number = values.between(int(numbers[2]), int(numbers[3]), rng)
        return in_words(number) if numbers[1] else str(number)
    return pick(kind.split("|"), rng) if "|" in kind else FIELDS[kind](rng)


def fill_fields(text, known, rng):
    """The text with its fields replaced; `known` maps names to values and grows. Values of one passage differ from each other."""
    def replace(match):
        name, part, kind = match.groups()
        if name not in known:
            if kind is None:
                raise ValueError(f"the field {name} is used before it is made")
            for _ in range(30):
                known[name] = value_of(kind, rng)
                if list(known.values()).count(known[name]) == 1:
                    break
        value = known[name]
        return {"first": value.split(" ", 1)[0], "last": value.split(" ", 1)[-1], None: value}[part]
    return FIELD.sub(replace, text)


def sentences_of(text):
    """Its sentences; a line counts as one."""
    return [s for line in text.split("\n") for s in SENTENCE_END.split(line)]


def has_words(sentence, words):
    """Whether the words stand in the sentence and are not parts of longer ones: not "seven" in "thirty-seven"."""
    return re.search(rf"(?<!\w)(?<!ty-){re.escape(words)}(?!\w)", sentence) is not None


def telling_sentence(sentences, question, answer):
    """Of the sentences with the answer, the one that shares most words with the question."""
    with_answer = [s for s in sentences if has_words(s, answer)]
    if len(with_answer) < 2:
        return with_answer[0] if with_answer else None
    asked = {word.lower() for word in WORD.findall(question)}
    return max(with_answer, key=lambda s: len(asked & {w.lower() for w in WORD.findall(s)}))


def without_a_sentence(text, rng):
    """The text without one of its sentences, not the first: what that one tells is left open."""
    lines = text.split("\n")
    number = pick([i for i, line in enumerate(lines) if line] or [0], rng)
    left_out = pick(SENTENCE_END.split(lines[number]), rng)
    if not left_out or text.startswith(left_out):
        return text
    lines[number] = lines[number].replace(left_out, "").strip()
    return "\n".join(line for i, line in enumerate(lines) if line or i != number)


def fill(pattern, rng):
    known = {}
    whole = fill_fields(pattern.text, known, rng)
    return Passage(pattern.kind, without_a_sentence(whole, rng) if rng.random() < LEFT_OUT else whole, pattern, known)


def passages(rng, count, split="train"):
    """Yields up to `count` passages of kinds that differ, so that a question is about one of them."""
    kinds, every = set(), patterns(split)
    for _ in range(3 * count if every else 0):
        pattern = pick(every, rng)
        if pattern.kind not in kinds and len(kinds) < count:
            kinds.add(pattern.kind)
            yield fill(pattern, rng)


def problems_of(pattern, rng):
    """What is wrong with a passage as it is written, filled in once."""
    found = []
    try:
        text = fill_fields(pattern.text, known := {}, rng)
        if "{" in text or "}" in text:
            found.append("a field is not closed")
        for wordings, answer in pattern.questions:
            answer = fill_fields(answer, known, rng)
            if telling_sentence(sentences_of(text), "", answer) is None:
                found.append(f"no sentence has the answer '{answer}'")
            for wording in wordings:
                question = fill_fields(wording, known, rng)
                if answer.lower() in question.lower() and len(answer) > 3:
                    found.append(f"'{question}' has its answer in it")
        for wordings in pattern.absent:
            for wording in wordings:
                fill_fields(wording, known, rng)
    except (KeyError, ValueError) as error:
        found.append(f"field {error}")
    return [f"{pattern.where}: {problem}" for problem in found]
