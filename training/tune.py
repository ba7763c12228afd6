"""Go on with a checkpoint on a processor: small batches, mostly of whole pages.

Run: python3 tune.py START.pt --seconds 7000 --data DIR --out DIR [--seed 1]
START.pt is a checkpoint of train.py, DIR of --data the same as there. A processor with AMX takes 1 to 2 s for a page and its questions, which is a hundredth
of what a GPU does: enough to bring a vision tower and a language model together, or to polish, not to begin.
"""
import argparse
import glob
import os
import random
import time

import numpy as np
import torch
from tokenizers import Tokenizer

import train
from attention_amx import use_amx_attention
from flat import Flat
from layout import PLACES, SLOTS, Layout
from alphabet import NUM_CLASSES
from lessons import KINDS
from model import Config, Glyph
from tasks import Builder, make_shape
from text import Sources

# Lesson: its weight, rows or pages (none: one page), documents at 72 dpi, most of them.
LESSONS = {
    'block': (.09, (1, 12), 100, 16),
    'find': (.11, (1, 15), 150, 24),
    'ask': (.22, (1, 15), 150, 24),
    'page': (.26, None, 6, 6),
    'read': (.18, None, 3, 3),
    'pages': (.14, (2, 4), 6, 3),
}
AUX_TOKENS = 4000      # visual tokens a step that the auxiliary loss looks at
FINE_DOCS = .62        # documents at 96 dpi for one at 72
WARM_STEPS, SAVE_S, LOG_S = 40, 300, 60


def pick(rng, coarse):
    """The shape of the next batch. coarse: the share of batches at 72 dpi."""
    kind = rng.choices(list(LESSONS), [lesson[0] for lesson in LESSONS.values()])[0]
    _, extent, docs, most = LESSONS[kind]
    dpi = 72 if rng.random() < coarse else 96
    rows, pages, length = None, 1, KINDS[kind]['length']
    if kind == 'pages':
        pages = rng.randint(*extent)
        docs = round(docs / pages)
    elif extent:
        rows = rng.randint(*extent)
        docs = round(docs / rows)
        if kind == 'block':
            length = max(length, 110 * rows)
    docs = max(1, round(min(docs, most) * (1 if dpi == 72 else FINE_DOCS)))
    return make_shape(kind, dpi, rng, pages, rows, docs, length, KINDS[kind]['turns'])


class Figures:
    """Means of the losses and shares of a while, by lesson and resolution."""

    def __init__(self):
        self.sums = {}

    def add(self, shape, *values):
        count, sums = self.sums.get((shape.kind, shape.dpi), (0, 0))
        self.sums[shape.kind, shape.dpi] = (count + 1, sums + np.array(values))

    def report(self):
        parts = []
        for (kind, dpi), (count, sums) in sorted(self.sums.items()):
            seconds, loss, named, right = sums / count
            parts.append(f'{kind}@{dpi} {count}x{seconds:.1f}s loss {loss:.3f} named {named:.4f} right {right:.4f}')
        self.sums = {}
        return ' | '.join(parts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('start', help='a checkpoint (.pt) of train.py, or of this program')
    parser.add_argument('--seconds', type=float, required=True)
    parser.add_argument('--data', required=True)
    parser.add_argument('--out', required=True)
    parser.add_argument('--lr', type=float, default=4.5e-4, help='at its peak; falls evenly to a fiftieth')
    parser.add_argument('--coarse', type=float, default=.3, help='share of batches at 72 dpi, the others have 96')
    parser.add_argument('--pointers', type=float, default=.5, help='weight of the pointer loss')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--evaluate', type=float, default=120, help='seconds of held-out evaluation at the end')
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    open(f'{args.out}/config.json', 'w').write('{}')   # export.py reads it
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    use_amx_attention(args.out)
    train.AUX_TOKENS = AUX_TOKENS

    device = torch.device('cpu')
    tokenizer = Tokenizer.from_file(args.data + '/tokenizer.json')
    special = train.special_ids(tokenizer, device)
    model = Glyph(Config(), SLOTS * PLACES * NUM_CLASSES)
    model.load_state_dict(torch.load(args.start))
    flat = Flat(model, args.lr)
    torch._dynamo.config.recompile_limit = 64
    for block in (*model.model['visual'].blocks, *model.model['language_model'].layers):
        block.compile(dynamic=True)
    artist = train.Artist(args.data, device)
    layout = Layout(np.load(args.data + '/atlas.npz')['advance'])
    books = {split: sorted(p for p in glob.glob(args.data + '/*.txt') if (os.path.basename(p) in train.HELD_OUT) == (split == 'heldout'))
             for split in ('train', 'heldout')}
    builders = {split: Builder(Sources(paths), layout, tokenizer, split) for split, paths in books.items()}

    log, figures, rng = train.Log(f'{args.out}/train.log'), Figures(), random.Random(args.seed)
    began = said = saved = time.time()
    step = 0
    while (progress := (time.time() - began) / args.seconds) < 1:
        begin = time.time()
        shape = pick(rng, args.coarse)
        batch = train.upload(builders['train'].batch(shape, rng.randrange(1 << 40)), shape, artist)
        loss, aux, pointers, right, named, _ = train.run_batch(model, artist, shape, batch, special)
        (loss + aux + args.pointers * pointers).backward()
        flat.step(('vision', 'heads', 'language'), args.lr * min(1, (step + 1) / WARM_STEPS) * max(.02, 1 - progress))
        step += 1
        figures.add(shape, time.time() - begin, loss.item(), named.item(), right.float().mean().item())
        if time.time() - said > LOG_S:
            said = time.time()
            log.say(f'{step} t{said - began:.0f} p{progress:.3f} ' + figures.report())
        if time.time() - saved > SAVE_S:
            saved = time.time()
            train.save(model, args.out, 'latest')
    train.save(model, args.out, 'final')
    train.evaluate(model, artist, special, builders['heldout'], log, args.evaluate)


if __name__ == '__main__':
    main()
