"""Documents, pages and questions: what one training batch is made of.

A batch holds documents whose pages have the same shapes, so that it is dense: `Shape` says which. Every document comes with several
turns of questions and answers about it: transcribe, continue, quote, look a needle or a fact up, or find that it is not there.
"""
import math
import random
import re
from dataclasses import dataclass, field

import numpy as np

import facts
from alphabet import CLASS
from layout import CELL, FRAME, FULL_WIDTH, LINE, Layout, page_pixels
from listings import listing
from text import Sources, clean, gaps, plain

ABSENT = 'The document does not say.'
TASKS = ['transcribe', 'continue', 'quote', 'needle', 'fact', 'absent', 'missing needle']
TRANSCRIBE, CONTINUE, QUOTE, NEEDLE, FACT, NO_FACT, NO_NEEDLE = range(len(TASKS))
WEIGHT = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]
# Where to go on at the end of a line, and that there is nothing more: few tokens of many, and a wrong one costs lines or a page.
LINE_START = 3.0           # times the weight, for the first token of each further line that an answer runs over
STOP = [6.0] + 6 * [2.0]   # times the weight, for the end of an answer of each task
PREFIX = 4       # [gMASK] <sop> <|user|> \n
MAX_TURNS = 128
ONE_LINE = 37.0   # points: the height of a page with one line on it
WORD = re.compile(r'[^\s"“”?,;:()]{4,}|\d+')
LONG_WORD = re.compile(r'[^ \n]{8,}')
NOWHERE = np.full((1, 3), -1, np.int32)
SHORTEST = 12      # tokens: what is left of a length is too short for a turn
MAX_PASSAGES = 24  # of a document
TURNS_A_TOKEN = 1 / 23   # a turn takes about 26 tokens
TOLD_SHARE = .55         # of the turns ask for facts that are told
OPEN_A_TOLD = 1 / 3      # questions that are left open for each that is answered: with more of them facts that are told are refused
COPIED_SHARE = .2        # of the turns, at least, quote or continue
QUOTE_SHARE = .35        # of these
ECHOED = .2        # of the pages to read say some words twice: a model that follows words jumps there, and reads on or around
AHEAD = 8          # characters after the cursor that the language model is asked to name
LINE_END, NO_CHAR = 254, 255   # their classes beside those of the alphabet; a space is 0

ASK_TRANSCRIBE = ['Transcribe the page.', 'Transcribe this page.', 'Write out the text of the page.', 'What does the page say?', 'Read the page.',
                  'Copy the text of this page.', 'Transcribe the text.', 'Please transcribe the page.', 'Transcribe the document.',
                  'Type out everything on the page.', 'Give me the full text of the page.', 'OCR this page.', 'Extract the text.']
ASK_PAGE = ['Transcribe page {n}.', 'Write out page {n}.', 'Read page {n}.', 'What does page {n} say?', 'Copy the text of page {n}.',
            'Give me the full text of page {n}.']
ASK_CONTINUE = ['Continue after "{w}".', 'What comes after "{w}"?', 'What follows the words "{w}"?', 'Read on from "{w}".',
                'Which words come after "{w}"?', 'How does the text go on after "{w}"?', 'Copy the text that follows "{w}".']
ASK_WORDS = ['Which {n} words come after "{w}"?', 'Give the {n} words after "{w}".', 'What are the next {n} words after "{w}"?',
             'Copy the {n} words that follow "{w}".', '{n} words after "{w}"?']
NUMBERS = {2: 'two', 3: 'three', 4: 'four', 5: 'five', 6: 'six'}
ASK_REST = ['How does the line go on after "{w}"?', 'Read the rest of the line after "{w}".', 'What is left of the line after "{w}"?',
            'Finish the line that has "{w}".']
ASK_SENTENCE = ['Quote the sentence that contains "{w}".', 'Which sentence contains the words "{w}"?', 'Quote the sentence with "{w}".',
                'Give me the sentence in which "{w}" appears.', 'Find the sentence with the words {w}.', 'What sentence mentions "{w}"?',
                'Copy out the sentence containing "{w}".', 'Quote the sentence about "{w}".']
ASK_LINE = ['Quote the line that contains "{w}".', 'Which line contains "{w}"?', 'Give me the line with "{w}".', 'What line has the words "{w}"?',
            'Copy the line containing "{w}".', 'Quote the line with the words {w}.', 'Find the line that mentions "{w}".']
SENTENCE_END = re.compile(r'(?<=[.!?])["”’\')]?\s+')


def chance_round(rng, value):
    """One of the two whole numbers beside the value, so that it is the mean."""
    return int(value + rng.random())


def stands(statement, flat):
    """Whether a statement is in the text that `flat` is, line ends as spaces."""
    return clean(statement).replace('\n', ' ') in flat


def long_lines(pages):
    return [plain(line).strip() for lines, _ in pages for line in lines if line.count(' ') >= 3]


def line_starts(pages):
    """Offsets in the text of the pages of the first inked character of each line."""
    starts, at = set(), 0
    for line in [line for page, _ in pages for line in page]:
        starts.add(at + len(line) - len(plain(line).lstrip()))
        at += len(line) + 1
    return starts


@dataclass
class Turn:
    """A question, its answer, and where both stand in the text of the pages, as far as they do.

    begin: of the answer in the text, -1 when it is not a piece of it. evidence: (begin, end) of the piece of text that the words of the
    question are looked for in.
    """
    question: str
    answer: str
    task: int
    begin: int = -1
    evidence: tuple = None


@dataclass
class Shape:
    """What the documents of a batch have in common. Sizes are in pixels before the resize, grids in visual tokens (rows, columns)."""
    kind: str
    dpi: int
    pages: list            # [(height, width, rows, columns)]
    docs: int
    length: int            # text tokens after the pages
    wrap: float            # points
    turns: str             # 'read': a transcription of the page; 'find': short pieces by the words before them; 'ask': questions
    look: bool = False     # only the auxiliary target counts
    easy: bool = False     # first lessons: no resize, text moved up by a random amount
    lines: list = field(default_factory=list)   # lines that fit each page

    @property
    def grids(self):
        return [(p[2], p[3]) for p in self.pages]


def make_shape(kind, dpi, rng, num_pages=1, rows=None, docs=1, length=400, turns='ask', look=False):
    """rows None: full pages (the last of several may be cropped); otherwise one page cropped to about `rows` rows."""
    k = dpi / 72
    if kind == 'easy':
        shape = Shape(kind, 72, [(rows * CELL, 21 * CELL, rows, 21)], docs, length, 560.0, turns, look, easy=True)
        shape.lines = [max(1, (rows * CELL - 14) // 10)]
        return shape
    width, wrap = page_pixels(dpi, 595), FULL_WIDTH
    narrow = rng.random()
    if narrow < .18:      # hard-wrapped text: the page is cropped after its longest line
        width = rng.randint(int(width * (.45 if rows is None else .15)), width)
        wrap = width / k - FRAME - 10
    elif narrow < .8:     # cropped after the longest line of full-width text
        width = rng.randint(int(583 * k), int(591 * k))
    columns = round(width / CELL)
    pages = []
    for n in range(num_pages):
        height = page_pixels(dpi, 842)
        if rows is not None:
            height = max(rows * CELL + rng.randint(-13, 13), math.ceil(ONE_LINE * k))
        elif n == num_pages - 1 and rng.random() < .5:
            height = rng.randint(int(height * (.5 if num_pages == 1 else .15)), height)
        pages.append((max(height, 20), width, max(1, round(height / CELL)), columns))
    shape = Shape(kind, dpi, pages, docs, length, wrap, turns, look)
    shape.lines = [min(81, max(1, int((h / k - 12 - 25) / LINE) + 1)) for h, _, _, _ in pages]
    return shape


class Builder:
    def __init__(self, sources, layout, tokenizer, split='train'):
        self.s, self.layout, self.tok, self.split = sources, layout, tokenizer, split
        ids = {t: tokenizer.token_to_id(t) for t in ('[gMASK]', '<sop>', '<|user|>', '<|assistant|>', '<|begin_of_image|>', '<|end_of_image|>',
                                                     '<|image|>')}
        assert None not in ids.values(), ids
        self.ids, self.newline = ids, tokenizer.encode('\n').ids
        assert len(self.newline) == 1
        self.prefix = [ids['[gMASK]'], ids['<sop>'], ids['<|user|>']] + self.newline

    # ---- text of a document

    def units(self, rng, points, style):
        """Sentences and lines of about `points` of total width -> list of (text, separator)."""
        s, layout, out, used = self.s, self.layout, [], 0.0
        if style == 'code':
            return self.listings(rng, points)
        if style == 'passages':
            return self.passages(rng, points, [])
        breaks = rng.choice([.02, .1, .2, .35]) if style != 'lines' else 1.0
        if style == 'prose':
            passage = s.passage(rng, int(points / 4.3))
            for line in passage.split('\n'):
                parts = [p for p in SENTENCE_END.split(line) if p]
                out += [(p, ' ') for p in parts[:-1]] + [(p, '\n') for p in parts[-1:]]
            return out
        while used < points:
            r = rng.random()
            if style == 'report':
                if r < .62:
                    unit, sep = facts.filler_sentence(rng), '\n' if rng.random() < breaks else ' '
                elif r < .70:
                    unit, sep = facts.filler_paragraph(rng), '\n'
                elif r < .76:
                    unit, sep = facts.heading(rng), '\n'
                elif r < .84:
                    unit, sep = facts.list_item(rng), '\n'
                elif r < .90:
                    unit, sep = facts.table_row(rng), '\n'
                else:
                    unit, sep = (s.shuffled(rng) if rng.random() < .5 else s.sentence(rng)), '\n' if rng.random() < breaks else ' '
                unit = clean(unit)
                if rng.random() < .1 and sep == '\n':
                    sep = '\n\n'
            elif style == 'shuffled':
                unit, sep = s.shuffled(rng), '\n' if rng.random() < breaks else ' '
            elif style == 'typeset':
                unit, sep = s.typeset(rng), '\n' if rng.random() < breaks else ' '
            elif style == 'lines':
                unit, sep = s.sentence(rng, 1, 9), '\n'
                if rng.random() < .2:
                    unit = s.word(rng)
                if rng.random() < .06:
                    sep = '\n\n'
            else:
                unit, sep = s.sentence(rng), '\n' if rng.random() < breaks else ' '
            unit = unit.strip()
            if not unit:
                continue
            out.append((unit, sep))
            used += layout.width(unit) if len(unit) < 40 else 5.2 * len(unit)
            used += 3 if sep == ' ' else 200 if style != 'lines' else 300
        return out

    def listings(self, rng, points):
        """units() of source code and the like, with a line of words now and then."""
        out, used = [], 0.0
        while used < points:
            lines = listing(rng, self.s) if rng.random() < .9 else [self.s.sentence(rng)]
            if rng.random() < .4:
                lines.append('')
            units = [(clean(gaps(line)), '\n') for line in lines]
            out += units
            used += sum(max(self.layout.width(unit), 400) for unit, _ in units)
        return out

    def written(self, units, shape):
        """The text of units, words that are wider than a line cut short: the page would end before they do."""
        def cut(word):
            word = word[0]
            while self.layout.width(word) > shape.wrap:
                word = word[:-1]
            return word
        return LONG_WORD.sub(cut, clean(''.join(u + s for u, s in units)).strip())

    def paginate(self, text, shape):
        """-> pages of (lines, erased line numbers), the text as it stands on the pages, and (begin, end) of each page in it. Only the lines have
        GAPS."""
        total = sum(shape.lines)
        lines = self.layout.wrap(text, shape.wrap, total)
        pages, spans, at, joined, source = [], [], 0, [], 0
        for count in shape.lines:
            part = lines[at:at + count]
            at += count
            erased = set()
            for i, (_, end) in enumerate(part):
                if end == '\n':
                    source += 1
                    if source % 30 == 0:
                        erased.add(i)
            pages.append(([l for l, _ in part], erased))
            spans.append(part)
        position, ranges = 0, []
        for part in spans:
            piece = ''.join(l + e for l, e in part)
            joined.append(piece)
            ranges.append((position, position + len(piece)))
            position += len(piece)
        return pages, plain(''.join(joined)), ranges

    # ---- turns

    def quotes(self, rng, units, pages, text, count):
        turns = []
        lines, flat = long_lines(pages), text.replace('\n', ' ')
        for _ in range(count * 3):
            if len(turns) >= count:
                break
            if rng.random() < .5 and lines:
                whole, ask = rng.choice(lines), ASK_LINE
            else:
                whole, ask = rng.choice(units)[0], ASK_SENTENCE
            words = whole.split(' ')
            if not 4 <= len(words) <= 60 or whole not in text and ask is ASK_SENTENCE:
                continue
            n = rng.randint(2, min(5, len(words)))
            i = rng.randint(0, len(words) - n)
            w = ' '.join(words[i:i + n])
            at = flat.find(w)
            if at < 0 or flat.find(w, at + 1) >= 0:
                continue
            shown = w.strip(' .,;:!?"') if rng.random() < .6 else w
            if len(shown) < 5 or '"' in shown:
                continue
            turns.append(Turn(rng.choice(ask).format(w=shown), whole, QUOTE, at - whole.find(w), (at, at + len(w))))
        return turns

    def continuations(self, rng, pages, text, count, numbered=.4, words=(2, 5)):
        """Turns that ask how the text goes on after some words: some words more, to the end of the line, or to the end of the sentence. Where
        the answer ends follows from the question and the page."""
        turns = []
        lines, flat = long_lines(pages), text.replace('\n', ' ')
        for _ in range(count * 3):
            if len(turns) >= count or not lines:
                break
            line = rng.choice(lines).split(' ')
            size = rng.randint(*words)
            i = rng.randrange(max(1, len(line) - size))
            w = ' '.join(line[i:i + size])
            at = flat.find(w)
            if len(w) < 6 or '"' in w or '  ' in w or at < 0 or flat.find(w, at + 1) >= 0:
                continue
            rest, kind = flat[at + len(w):at + len(w) + 400], rng.random()
            begin = at + len(w) + len(rest) - len(rest.lstrip())
            rest = rest.lstrip()
            if kind < numbered:
                n = rng.randint(2, 6)
                after = rest.split()
                question = rng.choice(ASK_WORDS).format(w=w, n=rng.choice([n, NUMBERS[n]]))
                answer = ' '.join(after[:n]) if len(after) >= n else ''
            elif kind < (1 + numbered) / 2:
                question, answer = rng.choice(ASK_REST).format(w=w), ' '.join(line[i + size:])
            else:
                end = re.search(r'[.!?](?=["”’\')]?(\s|$))["”’\')]?', text[begin:begin + 400])
                question, answer = rng.choice(ASK_CONTINUE).format(w=w), rest[:end.end()] if end else ''
            if 3 < len(answer) < 300 and '  ' not in answer:
                turns.append(Turn(question, answer, CONTINUE, begin, (at, at + len(w))))
        return turns

    def question_document(self, rng, shape):
        """A document with facts and needles in it, and turns about them: more than fit into the shape's length."""
        area = sum(shape.lines) * shape.wrap
        room = TURNS_A_TOKEN * shape.length
        told = TOLD_SHARE * room
        style = rng.choices(['passages', 'report', 'random', 'shuffled', 'prose', 'typeset', 'lines', 'code'],
                            [.50 if sum(shape.lines) > 5 else 0, .16, .07, .05, .10, .03, .03, .06])[0]
        if style == 'passages':
            known, told = facts.make_facts(rng, rng.randint(0, 3), self.split), .85 * told
        else:
            known = facts.make_facts(rng, math.ceil(min(rng.uniform(.4, .8) * told, sum(shape.lines) / 1.8)), self.split)
        groups = [facts.needle_group(rng, wrong=rng.choice([0, 1, 2, 3, 3, 3]) if area > 8000 else rng.choice([0, 1]))
                  for _ in range(rng.choices([0, 1, 2], [.8, .2, 0] if sum(shape.lines) < 6 else [.4, .6, 0] if room < 40 else [.2, .5, .3])[0])]
        planted = known + [f for group in groups for f in group]
        wanted = max(.2 * area, area * rng.uniform(.75, 1.0) - sum(6 * len(f.statement) for f in planted))
        passages = []
        units = self.passages(rng, wanted, passages) if style == 'passages' else self.units(rng, wanted, style)
        originals = [(plain(unit).strip(), sep) for unit, sep in units]
        for f in planted:
            sep = '\n' if ' | ' in f.statement or rng.random() < .15 else ' '
            last = int(len(units) * min(.93, sum(shape.lines) / 40))   # a short page ends before its last units
            units.insert(rng.randint(0, last), (clean(f.statement), sep))
        pages, text, _ = self.paginate(self.written(units, shape), shape)
        flat = text.replace('\n', ' ')
        turns = self.ask_passages(rng, passages, flat, told) + self.ask_facts(rng, known, flat, 2 * len(known) if passages else told)
        turns += self.ask_needles(rng, groups, flat)
        rest = max(COPIED_SHARE * room, room - len(turns))
        turns += self.quotes(rng, originals, pages, text, math.ceil(QUOTE_SHARE * rest))
        turns += self.continuations(rng, pages, text, math.ceil((1 - QUOTE_SHARE) * rest))
        rng.shuffle(turns)
        return pages, text, turns

    def passages(self, rng, points, passages):
        """Units of passages of about `points` of total width; the passages are added to the list."""
        units, used = [], 0.0
        for passage in facts.passages(rng, MAX_PASSAGES, self.split):
            passages.append(passage)
            lines = passage.text.split('\n')
            if 5.2 * len(passage.text) > points:   # more than fits: its beginning, or what stands behind a line of it
                lines = lines[rng.choice([0, rng.randrange(len(lines))]):]
            units += [(line, '\n') for line in lines[:-1]] + [(lines[-1], rng.choice(['\n', '\n\n', '\n\n']))]
            used += sum(max(200, 5.2 * len(line)) for line in lines)
            if used >= points:
                break
        return units

    def ask_passages(self, rng, passages, flat, told):
        """Turns about passages, `told` or a few more that `flat` answers: several questions about each, and some that it leaves open."""
        turns, low, answered = [], flat.lower(), 0
        for passage in rng.sample(passages, len(passages)):
            if answered >= told:
                break
            asked, left_open = passage.questions(rng)
            here = [self.stated(flat, facts.dress_question(rng, q), a, FACT, told_by) for q, a, told_by in asked if stands(told_by, flat)]
            here = here[:max(rng.randint(3, 9), math.ceil(told / len(passages)))]
            # What stood behind the end of the last page is as open as what the passage leaves open.
            left_open += [q for q, a, told_by in asked if not stands(told_by, flat) and clean(a).lower() not in low]
            count = min(len(left_open), chance_round(rng, len(here) * OPEN_A_TOLD))
            turns += here + [Turn(facts.dress_question(rng, q), ABSENT, NO_FACT) for q in rng.sample(left_open, count)]
            answered += len(here)
        return turns

    def ask_facts(self, rng, known, flat, told):
        seen = [f for f in known if stands(f.statement, flat)]
        many = chance_round(rng, told / max(1, len(seen)))
        asked = [(f, q, a) for f in seen for q, a in rng.sample(f.qa, min(len(f.qa), max(1, many)))]
        turns = [self.stated(flat, facts.dress_question(rng, q), a, FACT, f.statement) for f, q, a in asked]
        left_open = facts.absent_questions(rng, known, chance_round(rng, len(turns) * OPEN_A_TOLD), self.split)
        return turns + [Turn(facts.dress_question(rng, q), ABSENT, NO_FACT) for q in left_open]

    def ask_needles(self, rng, groups, flat):
        turns = []
        for group in groups:
            seen = [f for f in group if stands(f.statement, flat)]
            for f in rng.sample(seen, min(len(seen), rng.randint(1, 3))):
                q, a = rng.choice(f.qa)
                turns.append(self.stated(flat, q, a, NEEDLE, f.statement))
            if rng.random() < .5:
                turns += [Turn(q, ABSENT, NO_NEEDLE) for q in facts.absent_questions(rng, group, 1, self.split)]
        return turns

    @staticmethod
    def stated(flat, question, answer, task, statement):
        statement, answer_text = clean(statement).replace('\n', ' '), clean(answer).replace('\n', ' ')
        at = flat.find(statement)
        inside = statement.find(answer_text)
        return Turn(question, answer, task, at + inside if inside >= 0 else -1, (at, at + len(statement)))

    def finding_document(self, rng, shape):
        """A document in which many short pieces are to be found by the words before them: where they stand says nothing."""
        style = rng.choices(['random', 'prose', 'shuffled', 'lines', 'report', 'typeset', 'code'], [.34, .17, .15, .08, .16, .04, .06])[0]
        area = sum(shape.lines) * shape.wrap
        pages, text, _ = self.paginate(self.written(self.units(rng, area * rng.uniform(.8, 1.1), style), shape), shape)
        return pages, text, self.continuations(rng, pages, text, 16, numbered=.7)

    def reading_document(self, rng, shape):
        """A document to transcribe. The last page of three in ten ends early, and of one in ten with a part of its last line: to stop has to be seen."""
        styles = ['random', 'prose', 'shuffled', 'lines', 'report', 'typeset', 'code', 'passages']
        style = rng.choices(styles, [.24, .14, .12, .10, .11, .08, .10, .11])[0]
        early = not shape.look and rng.random() < .4
        text = self.written(self.units(rng, 1.1 * sum(shape.lines) * shape.wrap, style), shape)
        if style != 'code' and rng.random() < ECHOED:
            text = self.echoed(rng, text)
        if early:
            text = self.shortened(rng, text, shape)
            if rng.random() < ECHOED:
                text += ' ' + self.piece(rng, text)
        pages, text, ranges = self.paginate(text, shape)
        filled = [n for n, (begin, end) in enumerate(ranges) if text[begin:end].strip()]
        n = rng.choice(filled if not early or rng.random() < .3 else filled[-1:])
        page = text[ranges[n][0]:ranges[n][1]]
        begin = ranges[n][0] + len(page) - len(page.lstrip())
        question = rng.choice(ASK_PAGE).format(n=n + 1) if len(ranges) > 1 or rng.random() < .1 else rng.choice(ASK_TRANSCRIBE)
        turns = [Turn(question, page.strip(), TRANSCRIBE, begin)]
        if shape.kind in ('read', 'read two'):   # where a full page of the batch takes all of the length, a short one has room for questions
            missing = 1.1 * sum(shape.lines) / len(shape.lines) * shape.wrap / 5.2 - len(page)
            turns += self.continuations(rng, pages, text, int(min(missing / 75, page.count('\n') + len(page) / 120)))
        return pages, text, turns

    @staticmethod
    def piece(rng, text):
        """A few words of the text, from one line."""
        words = rng.choice([line for line in text.split('\n') if line.strip()] or ['']).split(' ')
        begin = rng.randrange(len(words))
        return ' '.join(words[begin:begin + rng.randint(2, 12)])

    def echoed(self, rng, text):
        """The text with pieces of it in other places, too: where one goes on is then not told by its words, only by where it stands."""
        lines = text.split('\n')
        for _ in range(rng.randint(2, 8)):
            at = rng.randrange(len(lines))
            words = lines[at].split(' ')
            words.insert(rng.randint(0, len(words)), self.piece(rng, text))
            lines[at] = ' '.join(words).strip()
        return '\n'.join(lines)

    def shortened(self, rng, text, shape):
        """The text up to some line of the last page: one of the first, any, or the last as on a page that is cropped behind its text. Half of the
        time, and in the last line, it ends at some word."""
        last = shape.lines[-1]
        count = rng.choice([rng.randint(1, min(last, 10)), rng.randint(1, last), rng.randint(1, last), last])
        lines = self.layout.wrap(text, shape.wrap, sum(shape.lines[:-1]) + count)
        end = sum(len(line) + 1 for line, _ in lines)
        if count == last or rng.random() < .5:
            words = lines[-1][0].split(' ')
            end -= len(' '.join(words[rng.randint(1, len(words)):]))
        return text[:end].rstrip()

    # ---- tokens

    def encode_turns(self, turns, length, text, starts):
        """starts: offsets in `text` at which lines begin -> ids, weight of each id as a target, turn number of each id (-1: not a target), task of each
        turn, and offsets in `text` of each id's first inked character, last character and first character, -1 where it does not stand there."""
        ids, weight, number, tasks, at = [], [], [], [], []
        user, assistant = self.ids['<|user|>'], self.ids['<|assistant|>']
        for turn in turns:
            if len(ids) + SHORTEST > length:
                break
            asked, said = self.tok.encode(clean(turn.question)), self.tok.encode(clean(turn.answer))
            question, answer = asked.ids + [assistant] + self.newline, said.ids + [user]
            place = [self.words_at(clean(turn.question), asked.offsets, text, turn.evidence)] + [NOWHERE] * (1 + len(self.newline))
            if ids:
                question, place = self.newline + question, [NOWHERE] * len(self.newline) + place
            stands_at = self.answer_at(clean(turn.answer), said.offsets, text, turn.begin)
            place += [stands_at, NOWHERE]
            hard = [1.0] + [LINE_START if begin in starts else 1.0 for begin in stands_at[1:, 0].tolist()] + [STOP[turn.task]]
            hard = [WEIGHT[turn.task] * h for h in hard]
            if len(ids) + len(question) + len(answer) > length:
                if turn.task != TRANSCRIBE or len(ids) + len(question) + 8 > length:
                    continue
                answer = answer[:length - len(ids) - len(question)]
            weight += [0.0] * len(question) + hard[:len(answer)]
            number += [-1] * len(question) + [len(tasks)] * len(answer)
            ids += question + answer
            at.append(np.concatenate(place)[:len(question) + len(answer)])
            tasks.append(turn.task)
        return ids, weight, number, tasks, np.concatenate(at) if at else np.zeros((0, 3), np.int32)

    @staticmethod
    def answer_at(answer, offsets, text, begin):
        """(tokens, 3): where the tokens of an answer that stands at `begin` in `text` stand. A space belongs to what follows it."""
        out = np.full((len(offsets), 3), -1, np.int32)
        if begin < 0 or text[begin:begin + len(answer)].replace('\n', ' ') != answer.replace('\n', ' '):
            return out
        first, end = np.array(offsets, np.int32).reshape(-1, 2).T
        space = np.array([answer[i] == ' ' for i in first], bool)
        out[:, 0] = np.minimum(begin + first + space, len(text) - 1)
        out[:, 1] = begin + end - 1
        out[:, 2] = begin + first
        return out

    @staticmethod
    def words_at(question, offsets, text, evidence):
        """(tokens, 3): where the words of a question that stand in the evidence, once and longer than three letters, are found there."""
        out = np.full((len(offsets), 3), -1, np.int32)
        if evidence is None:
            return out
        begin, end = evidence
        stated = text[begin:end].replace('\n', ' ').lower()
        asked = question.lower()
        whole = asked.find(stated.strip(' .,;:!?"')) if len(stated) < 60 else -1
        at = np.full(len(question) + 1, -1, np.int32)
        if whole >= 0:   # the question quotes the evidence
            stripped = stated.strip(' .,;:!?"')
            at[whole:whole + len(stripped)] = begin + stated.find(stripped) + np.arange(len(stripped))
        else:
            for word in WORD.finditer(asked):
                if stated.count(word.group()) == 1:
                    at[word.start():word.end()] = begin + stated.find(word.group()) + np.arange(len(word.group()))
        for i, (first, last) in enumerate(offsets):
            first += question[first] == ' '
            if first < last and at[first] >= 0 and at[last - 1] >= 0:
                out[i, :2] = at[first], at[last - 1]
        return out

    @staticmethod
    def look_up(at, stands):
        """at (n, 3): offsets in the text as encode_turns gives them; stands (characters, 2): position in the sequence and place in the cell of each character
        -> (n, 3): position of the first character, of the last one, and place of the first; -1 where there is none."""
        out = np.full((len(at), 3), -1, np.int32)
        good = (at[:, :2] >= 0).all(1) & (at < len(stands)).all(1)
        first, last = stands[at[good, 0]], stands[at[good, 1], 0]
        seen = (first[:, 0] >= 0) & (last >= 0)
        out[np.nonzero(good)[0][seen]] = np.stack((first[:, 0], last, first[:, 1]), 1)[seen]
        return out

    @staticmethod
    def characters_ahead(begin, text):
        """begin (n,): offsets in the text, -1 for none -> uint8 (n, AHEAD): classes of the characters from there on."""
        codes = np.full(len(text) + AHEAD, NO_CHAR, np.uint8)
        codes[:len(text)] = [LINE_END if c == '\n' else CLASS.get(c, 0) for c in text]
        out = codes[np.clip(begin, 0, len(text) - 1)[:, None] + np.arange(AHEAD)]
        out[(begin < 0) | (begin >= len(text))] = NO_CHAR
        return out

    def batch(self, shape, seed):
        """One batch as numpy arrays; see Batch in train.py for the shapes."""
        rng = random.Random(seed)
        make = {'read': self.reading_document, 'find': self.finding_document, 'ask': self.question_document}[shape.turns]
        n, length = shape.docs, shape.length
        ids = np.zeros((n, length), np.int16)
        weight = np.zeros((n, length), np.float32)
        number = np.full((n, length), -1, np.int16)
        tasks = np.full((n, MAX_TURNS), -1, np.int64)
        place = np.full((n, length, 3), -1, np.int32)
        ahead = np.full((n, length, AHEAD), NO_CHAR, np.uint8)
        glyphs, targets = [[] for _ in shape.pages], [[] for _ in shape.pages]
        for d in range(n):
            for _ in range(4):
                pages, text, turns = make(rng, shape)
                i, w, t, task, at = self.encode_turns(turns, length, text, line_starts(pages))
                if task:
                    break
            ids[d, :len(i)], weight[d, :len(i)], number[d, :len(i)] = i, w, t
            tasks[d, :min(MAX_TURNS, len(task))] = task[:MAX_TURNS]
            stands, first_cell = [], PREFIX + 1
            for p, ((height, width, rows, columns), (lines, erased)) in enumerate(zip(shape.pages, pages)):
                g, target, stand = self.layout.glyphs(lines, shape.dpi, (rows, columns), (rows * CELL / height, columns * CELL / width), erased,
                                                rng.uniform(0, 14) if shape.easy else 0.0)
                page = np.full((len(g), 1), d, np.int16)
                glyphs[p].append(np.concatenate((page, g), 1))
                targets[p].append(target)
                stand[:, 0] += np.where(stand[:, 0] >= 0, first_cell, 0)
                stands.append(stand)
                first_cell += rows * columns + 2
            place[d, :len(i)] = self.look_up(at, np.concatenate(stands))
            ahead[d, :len(i)] = self.characters_ahead(at[:, 2], text)
        used = max(1, int((number >= 0).any(0).nonzero()[0].max(initial=0)) + 1)
        used = min(length, -(-used // 64) * 64)
        # The token at position p is predicted at p - 1: `state` indexes (docs, used) hidden states, flattened.
        doc, position = np.nonzero(weight[:, 1:used])
        # Positions among the pages (from PREFIX on), and where a token is predicted.
        seen = np.where(place[:, :used, :2] >= 0, place[:, :used, :2] - PREFIX, -1)
        ahead_of = np.full((2, n, used), -1, np.int64)
        ahead_of[:, doc, position] = seen[doc, position + 1].T
        return pack({'ids': ids[:, :used].astype(np.int64), 'state': doc * used + position, 'target': ids[doc, position + 1].astype(np.int64),
                     'weight': weight[doc, position + 1],
                     'turn': doc * MAX_TURNS + number[doc, position + 1].clip(0, MAX_TURNS - 1), 'tasks': tasks,
                     'here': seen[:, :, 1].astype(np.int64), 'first': ahead_of[0], 'last': ahead_of[1],
                     'spot': place[doc, position + 1, 2].astype(np.int64), 'ahead': ahead[doc, position + 1],
                     'glyphs': [np.concatenate(g) for g in glyphs], 'targets': [np.concatenate(t) for t in targets]})


def pack(arrays):
    """One byte buffer for all arrays of a batch, so that it is pinned and copied once, and where each of them lies in it."""
    parts, table, at = [], [], 0
    for name, value in arrays.items():
        for i, a in enumerate(value if isinstance(value, list) else [value]):
            a = np.ascontiguousarray(a)
            table.append((name, isinstance(value, list), at, a.shape, a.dtype.str))
            parts.append(a.tobytes() + b'\0' * (-a.nbytes % 16))
            at += len(parts[-1])
    return b''.join(parts), table
