"""Source code, data, configuration, formulas and codes to read: random lines in the forms of many languages, so that no sign can be guessed.

listings.txt has the forms. Lines are indented by spaces, as in a file.
"""
import pathlib
import re
import string

PUNCTUATION = string.punctuation
SIGNS = '±×÷≤≥≠≈→←°µ²³½¼¾·•§¶†«»¿¡€£¥¢©®™№–—…“”‘’'
ALIKE = ['Il1|', 'O0o', 'Z2z', 'S5s', 'B8', 'rn', 'vv', 'uv', 'ij', 'G6', 'q9g', 'cl', 'T7', "'`", '"“”', '.,', ':;', '-–—', '([{', ')]}', 'il!',
         '/|\\', '*+×', '<≤', '>≥', '=≠≈', '*r', 'f)']
CONFUSED = 'Il1O0Z2S5B8G6|/()[]'
OPERATORS = '+ - * / % ** // & | ^ << >> == != < > <= >= && || -> ??'.split()
ASSIGNED = '= = = += -= *= /= |= &= <<= :='.split()
TYPES = 'int float bool char size_t double auto u8 i64 string long void'.split()
COMMANDS = 'grep sed awk find sort cut tar curl git make docker ssh chmod xargs cat ls python3 npm'.split()
ENDINGS = ['', '', '.py', '.cc', '.h', '.json', '.md', '.txt', '.rs', '.tar.gz', '/']
TERMS = ['({} - {})', '|{} + {}|', 'sqrt({}·{})', '\\frac{{{}}}{{{}}}', '2{}·{}', '10^-{}/{}', 'log({}, {})', '[{}; {}]']
FIELD = re.compile('¤([a-zA-Z])')
DEEPEST = 4


def word(rng, s):
    """A word of the novels in ASCII."""
    while not (w := rng.choice(s.words)).isascii():
        pass
    return w


def identifier(rng, s):
    r = rng.random()
    if r < .14:
        return rng.choice(string.ascii_lowercase)
    if r < .22:
        return rng.choice('IlOoZSB_') + ''.join(rng.choices('Il1O0oZ2S5B8_', k=rng.randint(0, 3)))
    parts = [(s.pseudo_word(rng) if rng.random() < .3 else word(rng, s)).lower() for _ in range(rng.choice([1, 1, 1, 2, 2, 3]))]
    style = rng.random()
    if style < .45:
        return '_'.join(parts)
    if style < .75:
        return parts[0] + ''.join(p.capitalize() for p in parts[1:])
    return '_'.join(parts).upper() if style < .88 else ''.join(p.capitalize() for p in parts) + rng.choice(['', '', '2', '_t', '64'])


def number(rng, s):
    r = rng.random()
    if r < .5:
        return str(rng.randrange(10 ** rng.randint(1, 5)))
    if r < .64:
        return f'{rng.uniform(-100, 100):.{rng.randint(1, 4)}f}'
    if r < .76:
        return f'0x{rng.getrandbits(rng.choice([8, 16, 32])):{rng.choice("xX")}}'
    if r < .84:
        return f'{rng.uniform(1, 10):.1f}e{rng.randint(-9, 9)}'
    return f'{rng.randrange(10 ** 7):,}'.replace(',', rng.choice("_'")) if r < .9 else rng.choice(['-1', '0', '1', f'0b{rng.getrandbits(6):b}'])


def quoted(rng, s):
    inside = rng.choice([word, path, dense, lambda rng, s: f'{word(rng, s)} {word(rng, s)}', lambda rng, s: '%s: %d\\n',
                         lambda rng, s: f'{{{identifier(rng, s)}}}'])(rng, s)
    mark = rng.choice('"""\'\'`')
    return mark + inside.replace(mark, '') + mark


def dense(rng, s):
    """Punctuation side by side."""
    return ''.join(rng.choices(PUNCTUATION, k=rng.randint(2, 9)))


def path(rng, s):
    parts = [word(rng, s).lower() for _ in range(rng.randint(1, 3))]
    return rng.choice(['/', './', '../', '~/', '']) + '/'.join(parts) + rng.choice(ENDINGS)


def flag(rng, s):
    return rng.choice([f'-{rng.choice(string.ascii_letters)}', f'--{word(rng, s).lower()}', f'--{word(rng, s).lower()}={rng.randint(0, 99)}'])


def expression(rng, s, depth=2):
    r = rng.random()
    if depth == 0 or r < .30:
        return rng.choice([identifier, identifier, number, quoted])(rng, s)
    inner = lambda: expression(rng, s, depth - 1)
    if r < .50:
        gap = rng.choice([' ', ' ', ''])
        return inner() + gap + rng.choice(OPERATORS) + gap + inner()
    if r < .66:
        return f'{identifier(rng, s)}({", ".join(inner() for _ in range(rng.randint(0, 3)))})'
    if r < .74:
        return f'{identifier(rng, s)}[{inner()}]'
    if r < .82:
        return identifier(rng, s) + rng.choice(['.', '.', '->', '::', '?.']) + identifier(rng, s)
    if r < .88:
        return f'({inner()})'
    if r < .92:
        return rng.choice(['!', '-', '~', '&', '*', 'not ']) + identifier(rng, s)
    return f'[{", ".join(inner() for _ in range(rng.randint(0, 4)))}]' if r < .96 else f'{{{quoted(rng, s)}: {inner()}}}'


def variable(rng, s):
    return rng.choice(string.ascii_letters) + rng.choice(['', '', '_i', '_{n+1}', '²', '³', '^2', "'", '_0', '(x)', '[k]'])


def term(rng, s):
    v = lambda: variable(rng, s)
    r = rng.random()
    if r < .4:
        return v() if r < .2 else number(rng, s)
    if r < .6:
        return f'{v()} {rng.choice("+-×÷·/*±")} {v()}'
    return rng.choice(TERMS).format(v(), v())


def stamp(rng, s):
    return (f'{rng.randint(1990, 2030)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}{rng.choice(" T")}'
            f'{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}.{rng.randint(0, 999):03}')


def code(rng, s):
    """A code such as A7K-22Q, or one of characters that look alike."""
    r = rng.random()
    if r < .4:
        first, last = (''.join(rng.choices(string.ascii_uppercase + string.digits, k=k)) for k in (3, rng.randint(2, 5)))
        return first + rng.choice('---/._:') + last
    if r < .7:
        return ''.join(rng.choices(rng.choice(ALIKE) + rng.choice(ALIKE), k=rng.randint(3, 9)))
    if r < .85:
        return rng.choice(string.ascii_uppercase) + rng.choice('/-.:') + str(rng.randint(0, 9))
    return ''.join(rng.choices(CONFUSED, k=rng.randint(3, 10)))


FIELDS = {
    'n': identifier, 'N': lambda rng, s: identifier(rng, s).upper(), 'e': expression, 'd': number, 'q': quoted, 'p': path, 's': dense, 'f': flag,
    'v': variable, 'm': term, 'x': code, 'z': stamp,
    'i': lambda rng, s: str(rng.randint(0, 999)), 'j': lambda rng, s: str(rng.randint(1, 9)), 'h': lambda rng, s: f'{rng.getrandbits(24):06x}',
    'w': lambda rng, s: word(rng, s).lower(), 'W': word, 'c': lambda rng, s: ' '.join(s.word(rng) for _ in range(rng.randint(2, 8))),
    't': lambda rng, s: rng.choice(TYPES), 'a': lambda rng, s: rng.choice(ASSIGNED), 'k': lambda rng, s: rng.choice(COMMANDS),
    'y': lambda rng, s: rng.choice(',;:|'),
}


def read_forms():
    """{kind: (spaces of a level, lines)}"""
    forms, lines = {}, []
    for line in (pathlib.Path(__file__).parent / 'listings.txt').read_text(encoding='utf-8').splitlines():
        if head := re.fullmatch(r'\[([a-z ]+) (\d)\]', line):
            lines = []
            forms[head[1]] = int(head[2]), lines
        elif line and forms:
            lines.append(line)
    return forms


FORMS = read_forms()


def form(rng, s, kind):
    """Lines of a kind of FORMS, indented like blocks."""
    step, forms = FORMS[kind]
    lines, depth = [], 0
    for _ in range(rng.randint(3, 15)):
        line = rng.choice(forms)
        mark = line[:2]
        if mark == '¤<':
            if not depth:
                continue
            depth -= 1
        text = FIELD.sub(lambda field: FIELDS[field[1]](rng, s), line[2:] if mark in ('¤<', '¤>') else line)
        lines.append(' ' * (step * depth) + text)
        if mark == '¤>':
            depth = min(DEEPEST, depth + 1)
        elif kind == 'python' and rng.random() < .3:
            depth = rng.randint(0, depth)
    return lines


def table(rng, s):
    """Rows of words and numbers: CSV, Markdown, or columns apart by spaces."""
    cells = [number, number, code, word, lambda rng, s: s.number(rng), lambda rng, s: str(rng.randrange(10 ** 4)),
             lambda rng, s: f'{rng.uniform(0, 999):.2f}', lambda rng, s: f'{rng.uniform(-9, 9):+.3f}', lambda rng, s: f'"{word(rng, s)}"',
             lambda rng, s: rng.choice(['-', 'yes', 'no', 'n/a', '*'])]
    kinds, mark = rng.choices(cells, k=rng.randint(3, 7)), rng.choice([',', ', ', ';', ' | ', ' | ', '  ', '   ', ' ', ':'])
    rows = [mark.join(kind(rng, s) for kind in kinds) for _ in range(rng.randint(2, 9))]
    if mark == ' | ':
        rows.insert(1, '|'.join(rng.choice(['---', ':--', '--:', ':-:', '-----']) for _ in kinds))
        if rng.random() < .6:
            rows = [f'| {row} |' for row in rows]
    return rows


def signs(rng, s):
    """Codes, punctuation and signs side by side, and words in capitals."""
    makers = [code, code, code, dense, dense, lambda rng, s: ''.join(rng.choices(SIGNS, k=rng.randint(1, 4))), lambda rng, s: word(rng, s).upper(),
              lambda rng, s: rng.choice(PUNCTUATION) + s.word(rng) + rng.choice(PUNCTUATION)]
    return [' '.join(rng.choice(makers)(rng, s) for _ in range(rng.randint(2, 9))) for _ in range(rng.randint(1, 6))]


def listing(rng, s):
    """Lines of one kind. s: Sources of the words."""
    r = rng.random()
    return table(rng, s) if r < .1 else signs(rng, s) if r < .22 else form(rng, s, rng.choice(list(FORMS)))
