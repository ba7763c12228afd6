"""Text to read: unpredictable words, numbers and strings (so that guessing does not pay), passages of the novels, and a mix of both."""
import re
import string
import unicodedata

from alphabet import CLASS

ALNUM = string.ascii_letters + string.digits
ONSETS = 'b c d f g h j k l m n p r s t v w z br ch cl dr fl gr kr pl pr qu sh sl sp st th tr'.split()
NUCLEI = 'a e i o u y ai au ea ee ie io oa oo ou'.split()
CODAS = ['', '', '', 'b', 'ck', 'd', 'g', 'l', 'll', 'm', 'n', 'nd', 'ng', 'nt', 'p', 'r', 'rd', 's', 'ss', 'st', 't', 'x']
ACCENTED = [c for c in CLASS if c.isalpha() and ord(c) > 127]
RARE = [c for c in CLASS if not c.isalnum()]
BITS = ['(a)', '[3]', '10%', 'e.g.', '--', '#7', 'x=2', 'C++', '&', 'a/b', '2,000', 'i.e.', '->', '=>', '{}', '();', '!=', '==', '::',
        '/*', '*/', '//', '|', '-', '–', '—', '•', '*', '1.', '2)', 'i)', 'No.', 'vs.', 'km/h', 'kg', '°C', '§ 4', '+', '<b>', '</b>',
        '"', "'s", '...', '…', '?', '!', 'Mr.', 'Dr.', 'St.', 'etc.', 'p. 12', 'N/A', '@', '~', '^2', '_x', '\\n', '%d', '$1']

# GAPS[n] stands for a run of n spaces. The renderer keeps runs as wide as they are and does not break lines at them; to read, a run is one space.
GAPS = ''.join(chr(0xe000 + n) for n in range(25))
GAP, RUN = re.compile(f'[{GAPS}]'), re.compile(' {2,24}')
BLANK = ' \n' + GAPS


def gaps(line):
    """The line with runs of spaces as GAPS."""
    return RUN.sub(lambda run: GAPS[len(run[0])], line)


def plain(text):
    """The text with GAPS as single spaces."""
    return GAP.sub(' ', text)


def clean(text):
    """The text with every character that the model is not taught replaced or dropped."""
    text = text.replace('\t', ' ').replace('\u00a0', ' ')
    if any(c not in CLASS and c not in BLANK for c in set(text)):
        text = ''.join(c if c in CLASS or c in BLANK else
                       ''.join(d for d in unicodedata.normalize('NFKD', c) if d in CLASS) for c in text)
    return re.sub(' {2,}', ' ', text)


def upper(word):
    return ''.join(c.upper() if c.upper() in CLASS else c for c in word)


class Sources:
    """Word lists and passages of the novels at `paths`."""

    def __init__(self, paths):
        self.books = [clean(open(p, encoding='utf-8').read()) for p in paths]
        words = set()
        for book in self.books:
            words.update(re.findall(r"[A-Za-zÀ-ÿ]+", book))
        self.words = sorted(w for w in words if 1 < len(w) < 16)
        self.names = [w for w in self.words if w[0].isupper() and w[1:].islower()]

    def pseudo_word(self, rng):
        return ''.join(rng.choice(ONSETS) + rng.choice(NUCLEI) + rng.choice(CODAS) for _ in range(rng.randint(1, 3)))

    def word(self, rng):
        """One unpredictable token of text without spaces."""
        r = rng.random()
        if r < .42:
            return rng.choice(self.words)
        if r < .56:
            w = self.pseudo_word(rng)
            q = rng.random()
            if q < .2:
                w = upper(w[:1]) + w[1:]
            elif q < .25:
                w = upper(w)
            elif q < .32:
                i = rng.randrange(len(w))
                w = w[:i] + rng.choice(ACCENTED) + w[i + 1:]
            return w
        if r < .66:
            return rng.choice(self.words) + rng.choice([',', ',', '.', '.', ';', ':', '!', '?', ')', '"', '”', '...', "'s", '’s'])
        if r < .75:
            return self.number(rng)
        if r < .80:
            return ''.join(rng.choices(ALNUM, k=rng.randint(2, 10)))
        if r < .84:
            return rng.choice(['(', '"', '“', "'", '‘', '[', '<', '$', '£', '€', '#', '@', '-', '_']) + rng.choice(self.words)
        if r < .88:
            return rng.choice(BITS)
        if r < .91:
            return rng.choice(self.words) + rng.choice(['-', '_', '/', '.', '=', '--', '—', '::', '+', '&']) + rng.choice(self.words)
        if r < .93:
            return upper(rng.choice(self.words))
        if r < .945:
            return ''.join(rng.choices(RARE, k=rng.randint(1, 4)))
        if r < .96:
            return ''.join(rng.choices('abcdefghijklmnopqrstuvwxyz', k=rng.randint(1, 9)))
        if r < .97:
            return rng.choice(['https://', 'www.', '']) + self.pseudo_word(rng) + rng.choice(['.com', '.org', '.net/', '.de/index.html', '@mail.com', '.txt', '.py'])
        return rng.choice(self.names)

    def number(self, rng):
        r = rng.random()
        n = rng.randrange(10 ** rng.randint(1, 8))
        if r < .5:
            return str(n)
        if r < .6:
            return f'{n:,}'
        if r < .7:
            return f'{n / 100:.2f}'
        if r < .78:
            return f'{rng.randint(1, 31)}.{rng.randint(1, 12)}.{rng.randint(1700, 2099)}'
        if r < .84:
            return f'{rng.randint(1700, 2099)}-{rng.randint(1, 12):02}-{rng.randint(1, 31):02}'
        if r < .9:
            return f'{rng.randint(0, 23)}:{rng.randint(0, 59):02}'
        if r < .95:
            return rng.choice('$£€') + f'{n:,}'
        return f'{rng.randint(1, 100)}%'

    def sentence(self, rng, low=4, high=22):
        words = [self.word(rng) for _ in range(rng.randint(low, high))]
        words[0] = upper(words[0][:1]) + words[0][1:]
        if words[-1][-1] not in '.!?':
            words[-1] += rng.choice('...!?')
        return ' '.join(words)

    def shuffled(self, rng):
        """A sentence of dictionary words in random order: looks like prose, cannot be guessed."""
        words = rng.choices(self.words, k=rng.randint(5, 20))
        words = [w if rng.random() > .08 else w + rng.choice(',;:') for w in words]
        words[0] = upper(words[0][:1]) + words[0][1:]
        return ' '.join(words) + rng.choice('....?!')

    def typeset(self, rng):
        """A sentence of shuffled words with the quotes, dashes, points and accents of print."""
        words = self.shuffled(rng)[:-1].split(' ')
        for _ in range(rng.randint(1, 4)):
            i = rng.randrange(len(words))
            j = min(len(words), i + rng.randint(1, 5))
            r = rng.random()
            if r < .45:
                left, right = rng.choice(['“”', '“”', '‘’', '«»', '""', '()', '[]', "''"])
                words[i], words[j - 1] = left + words[i], words[j - 1] + rng.choice(['', ',', '.', '?', '!']) + right
            elif r < .7:
                words[i] += rng.choice([' –', ' —', '—', '–', '…', ' …', '...', ' -', ' --', '’s', '’', ' ·', '†', '*', '²'])
            else:
                w = words[i]
                k = rng.randrange(len(w))
                words[i] = w[:k] + rng.choice(ACCENTED) + w[k + 1:]
        return ' '.join(words) + rng.choice(['.', '.', '!', '?', '…', '.”', '?”'])

    def passage(self, rng, size):
        """About `size` characters of a novel, from a sentence start, curly quotes half of the time."""
        book = rng.choice(self.books)
        at = rng.randrange(max(1, len(book) - size - 400))
        at = book.find(' ', at) + 1
        text = book[at:at + size]
        if rng.random() < .5:
            text = re.sub(r'(^|[\s(—-])"', r'\1“', text).replace('"', '”')
            text = re.sub(r"(^|[\s(—“-])'", r'\1‘', text).replace("'", '’')
        if rng.random() < .3:
            text = text.replace('--', '—')
        return text
