"""What is taught when: first to see, then to read and to find words in blocks that grow, then whole pages and many of them.

The order was learned from runs that failed. Whole pages before characters are seen: the language model guesses. Whole pages before it
can find a place by its words: it follows the first two lines by their position, never learns to look for the third, and stays there.
"""
import math

import numpy as np

from tasks import make_shape

# kind: rows or pages (none: one full page), documents a GPU, text tokens, what its turns are (see Shape), and its weight at POINTS of the
# schedule. `look`: auxiliary loss only, the language model does not run. A batch has 10,000 to 20,000 tokens: many small steps teach more.
KINDS = {
    'easy':     dict(rows=(1, 2), docs=110, length=96, turns='read',        mix=[1.0, .12, .00, .00, .00, .00]),
    'look':     dict(docs=12, length=64, look=True, turns='read',           mix=[.00, .48, .08, .05, .03, .025]),
    'look row': dict(rows=(1, 9), docs=40, length=64, look=True, turns='read', mix=[.00, .22, .03, .01, .005, .005]),
    'line':     dict(rows=(1, 3), docs=72, length=192, turns='read',       mix=[.00, .10, .00, .00, .00, .00]),
    'block':    dict(rows=(1, 9), docs=18, length=704, turns='read',        mix=[.00, .00, .12, .08, .03, .025]),
    'find':     dict(rows=(1, 15), docs=18, length=448, turns='find',       mix=[.00, .08, .16, .08, .03, .025]),
    'ask':      dict(rows=(2, 15), docs=18, length=640, turns='ask',        mix=[.00, .00, .18, .18, .18, .18]),
    'page':     dict(docs=8, length=1024, turns='ask',                     mix=[.00, .00, .24, .29, .24, .22]),
    'read':     dict(docs=4, length=4352, turns='read',                    mix=[.00, .00, .14, .20, .26, .26]),
    'pages':    dict(pages=(2, 5), total=8, length=1280, turns='ask',      mix=[.00, .00, .05, .13, .13, .12]),
    'many':     dict(pages=(6, 11), total=11, length=1536, turns='ask',     mix=[.00, .00, .00, .04, .10, .12]),
    'read two': dict(pages=(2, 3), total=5, length=4352, turns='read',     mix=[.00, .00, .00, .00, .02, .02]),
}
POINTS = [0.0, .03, .28, .50, .72, 1.0]
# The schedule waits at these points until the auxiliary head names this share of the characters, or until this share of the time is gone.
GATES = [(0.0, 0.75, 0.20), (0.03, 0.98, 0.25)]
# Then blocks grow: the largest number of rows, and the lessons while they do.
LADDER = [2, 3, 4, 6, 8, 11, 15, 20, 26, 31]
LADDER_MIX = {'look': .06, 'look row': .04, 'block': .36, 'find': .36, 'ask': .18}
LADDER_RIGHT = {'block': .93, 'find': .90}   # share of right tokens that lets blocks grow
LADDER_END = 0.40                            # share of the time at which the last rung ends in any case, the others evenly before it


def learning_rate(progress, step, peak):
    warm = min(1.0, (step + 1) / 150)
    cool = min(1.0, max(0.02, (1 - progress) / .45))
    return peak * warm * cool


class Lessons:
    """Where in the schedule the run stands: at a gate, on the ladder, or moving evenly to the end over the time that is left."""

    def __init__(self, begin, progress_of, rung=0, coarse=.62, scale=1.0):
        """coarse: the share of batches at 72 dpi; the others have 96. scale: documents of a batch for one of KINDS."""
        self.progress_of, self.coarse, self.scale = progress_of, coarse, scale
        self.gates = [g for g in GATES if g[0] >= begin]
        self.rung = rung if begin < POINTS[2] else len(LADDER)
        self.named, self.right = 0.0, dict.fromkeys(LADDER_RIGHT, 0.0)
        self.start, self.since = max(begin, POINTS[2]), 0.0

    @property
    def climbing(self):
        return not self.gates and self.rung < len(LADDER)

    def point(self):
        if self.gates:
            return self.gates[0][0]
        return self.start + (1 - self.start) * (self.progress_of() - self.since) / max(1e-6, 1 - self.since)

    def pick(self, rng):
        """The shape of the next batch."""
        if self.climbing:
            kind = rng.choices(list(LADDER_MIX), list(LADDER_MIX.values()))[0]
            most = LADDER[self.rung]
            rows = rng.randint(max(2, math.ceil(most / 2)), most) if rng.random() < .7 else rng.randint(2, most)
            return self.shape(rng, kind, None if KINDS[kind].get('look') and kind == 'look' else min(rows, 9) if kind == 'look row' else rows)
        point = self.point()
        weights = [float(np.interp(point, POINTS, k['mix'])) for k in KINDS.values()]
        kind = rng.choices(list(KINDS), weights)[0]
        return self.shape(rng, kind, rng.randint(*KINDS[kind]['rows']) if 'rows' in KINDS[kind] else None)

    def shape(self, rng, kind, rows):
        spec = KINDS[kind]
        dpi = 72 if kind == 'easy' or rng.random() < self.coarse else 96
        shrink = (72 / dpi) ** 2
        num_pages = rng.randint(*spec['pages']) if 'pages' in spec else 1
        docs, length = spec['docs'] if 'docs' in spec else max(1, round(spec['total'] / num_pages)), spec['length']
        if rows is not None:
            low, high = spec['rows']
            docs = min(110, max(3, docs * (low + high) // 2 // rows))
            if kind == 'block':
                length = max(length, 110 * rows)
            if kind == 'ask':
                length = min(length, 192 + 64 * rows)
        return make_shape(kind, dpi, rng, num_pages, rows, max(2, round(docs * shrink * self.scale)), length, spec['turns'], spec.get('look', False))

    def watch(self, kind, aux_right, right):
        """Notes how well the last batch went -> what was passed, or None. Waits for the GPU when the batch matters."""
        if self.gates:
            return self.watch_gate(kind, aux_right)
        if not self.climbing:
            return None
        if kind in self.right:
            self.right[kind] += .25 * (right.float().mean().item() - self.right[kind])
        late = self.progress_of() > LADDER_END * (.3 + .7 * (self.rung + 1) / len(LADDER))
        if not late and any(self.right[k] < LADDER_RIGHT[k] for k in LADDER_RIGHT):
            return None
        passed = f'blocks of {LADDER[self.rung]} rows, ' + ', '.join(f'{k} {v:.4f}' for k, v in self.right.items())
        self.right = dict.fromkeys(self.right, .5)
        self.rung += 1
        if not self.climbing:
            self.since = self.progress_of()
        return passed

    def watch_gate(self, kind, aux_right):
        if aux_right is None or kind not in (('easy',), ('look', 'look row'))[self.gates[0][0] > 0]:
            return None
        self.named += .2 * (aux_right.item() - self.named)
        if self.named < self.gates[0][1] and self.progress_of() < self.gates[0][2]:
            return None
        self.gates.pop(0)
        self.since = self.progress_of()
        return f'gate, {self.named:.4f} of the characters named'
