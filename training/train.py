"""Train glyph-mini. One process a GPU; data workers draw nothing, the GPU draws pages from the glyph atlas.

Run: python3 train.py --seconds 1200 --data DIR --out DIR [--gpus 2]
DIR of --data holds atlas.npz (alphabet.py), tokenizer.json (tokenizer.py) and the novels as *.txt.
lessons.py says what is taught when; the learning rate follows the share of --seconds that is used up.
"""
import argparse
import contextlib
import glob
import json
import math
import os
import queue
import random
import sys
import threading
import time
import traceback

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F

from alphabet import NUM_CLASSES, TILE
from export import trained_state
from flat import Flat
from layout import CELL, PLACES, SLOTS, UNSURE, Layout
from lessons import KINDS, Lessons, learning_rate
from model import MAX_CELLS, Config, Glyph, document_positions, waves
from pointers import AHEAD_LAYER, FIRST, HERE, LAST, SPOT_LAYER, pointer_loss
from tasks import PREFIX, TASKS, Builder, make_shape

AUX_TOKENS = 10000       # visual tokens a step that the auxiliary loss looks at
CELL_WEIGHT = 0.2        # of the loss that asks each visual token for its row and column
KEPT_LAYERS = [layer for layer, _ in HERE + FIRST + LAST] + [SPOT_LAYER, AHEAD_LAYER]
MEASURE = 4              # steps between those whose answers are counted
HELD_OUT = ('emma.txt',)


def worker(tasks, results, data, books, split):
    """Builds the batches that the dispatcher asks for."""
    torch.set_num_threads(1)
    from tokenizers import Tokenizer
    from text import Sources
    os.environ['TOKENIZERS_PARALLELISM'] = 'false'
    arrays = np.load(data + '/atlas.npz')
    builder = Builder(Sources(books), Layout(arrays['advance']), Tokenizer.from_file(data + '/tokenizer.json'), split)
    while True:
        item = tasks.get()
        if item is None:
            return
        step, seed, shape = item
        for attempt in range(5):
            try:
                results.put((step, shape, builder.batch(shape, seed + attempt)))
                break
            except Exception:   # one odd document must not stop the run
                traceback.print_exc()


class Artist:
    """Draws pages on the GPU from glyph positions, resizes them and makes the model's pixels."""

    def __init__(self, data, device):
        arrays = np.load(data + '/atlas.npz')
        self.device = device
        self.ink = {}       # dpi: offset of each glyph's ink in the lists, ink per glyph, and its rows, columns, coverages
        for dpi in TILE:
            tiles = arrays[f'atlas{dpi}']
            tiles = tiles.reshape(-1, *tiles.shape[2:])
            glyph, row, column = np.nonzero(tiles)
            count = np.bincount(glyph, minlength=len(tiles))
            put = lambda a: torch.from_numpy(np.ascontiguousarray(a)).to(device)
            self.ink[dpi] = (put(np.cumsum(count) - count), put(count), put(row), put(column), put(tiles[glyph, row, column].astype(np.float32)))
            self.ink[dpi, 'count'] = count

    def draw(self, glyphs, total, dpi, docs, page):
        """glyphs: int16 (n, 5) of (document, glyph, x, y, rows that show); total: pixels of ink in them -> (docs, height, width) in [-2, 0]."""
        height, width, rows, columns = page
        margin = 32
        offset, count, row, column, coverage = self.ink[dpi]
        g = glyphs.long()
        kind = g[:, 1]
        many = count[kind]
        of = torch.repeat_interleave(torch.arange(len(g), device=self.device), many, output_size=total)
        pixel = torch.arange(total, device=self.device) - (many.cumsum(0) - many)[of] + offset[kind][of]
        y, x = g[:, 3][of] + row[pixel], g[:, 2][of] + column[pixel]
        shows = (row[pixel] < g[:, 4][of]) & (y >= 0) & (y < height) & (x >= -margin) & (x < width + margin)
        pad = width + 2 * margin
        at = (g[:, 0][of] * height + y.clamp(0, height - 1)) * pad + x.clamp(-margin, width + margin - 1) + margin
        canvas = torch.zeros(docs * height * pad, device=self.device)
        canvas.index_add_(0, at, coverage[pixel] * shows)
        image = 255 - canvas.view(docs, height, pad)[:, :, margin:margin + width].clamp(max=255)
        if (height, width) != (rows * CELL, columns * CELL):
            image = F.interpolate(image[:, None], (rows * CELL, columns * CELL), mode='bicubic', antialias=True, align_corners=False)[:, 0]
            image = image.round().clamp(0, 255)
        return (image / 127.5 - 2).bfloat16()


class Feeder:
    """Takes built batches, in order, to the GPU ahead of time: pinned memory, a stream of its own."""

    def __init__(self, results, artist, depth=3):
        self.results, self.artist, self.stream = results, artist, torch.cuda.Stream()
        self.ready = queue.Queue(depth)
        threading.Thread(target=self.feed, daemon=True).start()

    def feed(self):
        if self.artist.device.type == 'cuda':
            torch.cuda.set_device(self.artist.device)
        pending, step = {}, 0
        while True:
            while step not in pending:
                number, shape, batch = self.results.get()
                pending[number] = (shape, batch)
            shape, batch = pending.pop(step)
            step += 1
            with torch.cuda.stream(self.stream):
                out = upload(batch, shape, self.artist)
                done = torch.cuda.Event()
                done.record()
            self.ready.put((shape, out, done))

    def next(self):
        shape, batch, done = self.ready.get()
        torch.cuda.current_stream().wait_event(done)
        batch['buffer'].record_stream(torch.cuda.current_stream())
        return shape, batch


TORCH = {'<i8': torch.int64, '<i2': torch.int16, '<f4': torch.float32, '|u1': torch.uint8}


def upload(packed, shape, artist):
    """The arrays of a packed batch as tensors on the artist's device, and the pixels of ink of each page."""
    data, table = packed
    buffer = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    if artist.device.type == 'cuda':
        buffer = buffer.pin_memory().to(artist.device, non_blocking=True)
    out = {'buffer': buffer, 'ink': []}
    for name, many, at, dims, kind in table:
        size = int(np.prod(dims)) * np.dtype(kind).itemsize
        tensor = buffer[at:at + size].view(TORCH[kind]).view(dims)
        if many:
            out.setdefault(name, []).append(tensor)
        else:
            out[name] = tensor
        if name == 'glyphs':
            glyphs = np.frombuffer(data, kind, int(np.prod(dims)), at).reshape(dims)
            out['ink'].append(int(artist.ink[shape.dpi, 'count'][glyphs[:, 1]].sum()))
    return out


def assemble(model, features, ids, prefix, begin, end):
    """Embeddings of a whole batch: prefix, pages between their marks, text. prefix: (1, PREFIX); begin, end: (1, 1).

    One look-up for all: each one costs a gradient of the whole table.
    """
    docs = ids.shape[0]
    text = model.model['language_model'].embed_tokens(torch.cat((torch.cat((prefix, begin, end), 1).expand(docs, -1), ids), 1))
    prefix, begin, end, text = text.split((PREFIX, 1, 1, ids.shape[1]), 1)
    parts = [prefix]
    for page in features:
        parts += [begin, page, end]
    return torch.cat(parts + [text], 1)


def special_ids(tokenizer, device):
    """What stands around the pages of every document; see assemble()."""
    tid = tokenizer.token_to_id
    return {'prefix': torch.tensor([[tid('[gMASK]'), tid('<sop>'), tid('<|user|>'), tokenizer.encode('\n').ids[0]]], device=device),
            'begin': torch.tensor([[tid('<|begin_of_image|>')]], device=device), 'end': torch.tensor([[tid('<|end_of_image|>')]], device=device)}


def run_batch(model, artist, shape, batch, special, vision=True, heads=True, measure=True):
    """-> loss of the answers, auxiliary loss, pointer loss, right answer tokens (n,), share of inked characters that the auxiliary head names,
    shares of right pointers.

    vision: whether gradients reach the vision tower; if not, and no `heads` either, there is no auxiliary loss: it is zero, and its share None.
    measure: False leaves the shares out.
    """
    device, docs = artist.device, shape.docs
    aux_in, aux_out, cells = [], [], []
    # Pages of one shape go through the vision tower together.
    groups = {}
    for n, page in enumerate(shape.pages):
        groups.setdefault(page, []).append(n)
    by_page = [None] * len(shape.pages)
    for page, numbers in groups.items():
        pixels = torch.cat([artist.draw(batch['glyphs'][n], batch['ink'][n], shape.dpi, docs, page) for n in numbers])
        with contextlib.nullcontext() if vision else torch.no_grad():
            out = model.model['visual'](pixels)
        for i, n in enumerate(numbers):
            by_page[n] = out[i * docs:(i + 1) * docs]
            aux_in.append(by_page[n].flatten(0, 1))
            aux_out.append(batch['targets'][n])
            cell = torch.arange(page[2] * page[3], device=device).repeat(docs)
            cells.append(torch.stack((cell // page[3], cell % page[3]), 1))
    aux_loss, aux_right = torch.zeros((), device=device), None
    if vision or heads:
        aux_loss, aux_right = look(model, shape, torch.cat(aux_in), torch.cat(aux_out), torch.cat(cells), measure)
    if shape.look:
        return aux_loss.detach() * 0, aux_loss, aux_loss.detach() * 0, None, aux_right, None

    ids = batch['ids']
    x = assemble(model, by_page, ids, special['prefix'], special['begin'], special['end'])
    positions = document_positions(PREFIX, shape.grids, x.shape[1], device)
    language, keep = model.model['language_model'], dict.fromkeys(KEPT_LAYERS)
    h = language(x, positions, keep)[:, x.shape[1] - ids.shape[1]:].flatten(0, 1)
    logits = model.lm_head(h.index_select(0, batch['state'])).float()
    loss = (F.cross_entropy(logits, batch['target'], reduction='none') * batch['weight']).sum() / batch['weight'].sum()
    pointers, pointed = pointer_loss(model, keep, *language.rotary(positions, x.dtype), batch, ids.shape[1], measure)
    right = None
    if measure:
        with torch.no_grad():
            right = logits.argmax(-1) == batch['target']
    return loss, aux_loss, pointers, right, aux_right, pointed


def look(model, shape, aux_in, aux_out, cells, measure):
    """aux_in (n, hidden): visual tokens; aux_out (n, places): their characters; cells (n, 2): their rows and columns -> auxiliary loss, and if
    `measure` the share of inked characters that are named."""
    if len(aux_in) > AUX_TOKENS and not shape.look:
        pick = torch.randint(len(aux_in), (AUX_TOKENS,), device=aux_in.device)
        aux_in, aux_out, cells = (t.index_select(0, pick) for t in (aux_in, aux_out, cells))
    aux = model.aux_head(aux_in).view(-1, NUM_CLASSES)
    aux_out = aux_out.long().view(-1)
    sure = aux_out != UNSURE
    inked = sure & (aux_out > 0)
    aux_weight = torch.where(inked, 1.0, 0.05) * sure
    aux_loss = (F.cross_entropy(aux.float(), aux_out, reduction='none', ignore_index=UNSURE) * aux_weight).sum() / aux_weight.sum()

    where = model.aux_head_cell(aux_in).float().view(-1, 2, MAX_CELLS)
    cell_loss = F.cross_entropy(where.flatten(0, 1), cells.flatten().clamp(max=MAX_CELLS - 1))
    aux_loss = aux_loss + CELL_WEIGHT * cell_loss
    aux_right = None
    if measure:
        with torch.no_grad():
            aux_right = ((aux.argmax(-1) == aux_out) & inked).sum() / inked.sum().clamp(min=1)
    return aux_loss, aux_right


def turn_scores(batch, right):
    """Per task: (turns, turns all right, tokens, tokens right)."""
    if right is None:
        return torch.zeros(len(TASKS), 4, device=batch['tasks'].device)
    task = batch['tasks'].flatten()
    wrong = torch.zeros(len(task), device=right.device).index_add_(0, batch['turn'], (~right).float())
    count = torch.zeros(len(task), device=right.device).index_add_(0, batch['turn'], torch.ones_like(right, dtype=torch.float))
    seen = ((count > 0) & (task >= 0)).float()
    values = torch.stack((torch.ones_like(wrong), (wrong == 0).float(), count, count - wrong), 1) * seen[:, None]
    return torch.zeros(len(TASKS), 4, device=right.device).index_add_(0, task.clamp(min=0), values)


class Log:
    def __init__(self, path):
        self.file = open(path, 'a') if path else None
        self.reset()

    def reset(self):
        self.scores, self.losses, self.seen, self.times, self.pointed = {}, [], [], {}, []

    def say(self, text):
        print(text, flush=True)
        if self.file:
            self.file.write(text + '\n')
            self.file.flush()

    def begin(self):
        self.started = torch.cuda.Event(enable_timing=True)
        self.started.record()

    def add(self, kind, measured):
        """measured: (scores, losses, aux_right, pointed) of turn_scores and run_batch, or False."""
        ended = torch.cuda.Event(enable_timing=True)
        ended.record()
        self.times.setdefault(kind, []).append((self.started, ended))
        if not measured:
            return
        scores, losses, aux_right, pointed = measured
        self.scores[kind] = self.scores.get(kind, 0) + scores
        loss, aux, pointers = (loss.detach().float() for loss in losses)
        self.losses.append(torch.stack((loss, pointers)))
        if aux_right is not None:
            self.seen.append(torch.stack((aux, aux_right)))
        if pointed is not None:
            self.pointed.append(pointed)

    def report(self, head):
        loss, pointers = torch.stack(self.losses).mean(0).tolist()   # waits for the GPU: the events below are complete
        aux, right = torch.stack(self.seen).mean(0).tolist() if self.seen else (math.nan, math.nan)
        pointed = ' '.join(f'{p:.2f}' for p in torch.stack(self.pointed).mean(0).tolist()) if self.pointed else ''
        parts = [f'{head} loss {loss:.3f} aux {aux:.3f}/{right:.4f} pointers {pointers:.3f} {pointed}']
        for kind in sorted(self.times):
            s = self.scores[kind].tolist() if kind in self.scores else []
            spent = [a.elapsed_time(b) for a, b in self.times[kind]]
            parts.append(f'{kind} {len(spent)}x{sum(spent) / len(spent):.0f}ms ' + ' '.join(f'{TASKS[i]} {a[1] / a[0]:.3f}({a[3] / a[2]:.4f})' for i, a in enumerate(s) if a[0]))
        self.say(' | '.join(parts))
        self.reset()


def save(model, out, name):
    state = {k: v.bfloat16().cpu() for k, v in model.state_dict().items()}
    torch.save(state, f'{out}/{name}.tmp')
    os.replace(f'{out}/{name}.tmp', f'{out}/{name}.pt')


def evaluate(model, artist, special, builder, log, seconds):
    """Held-out books and wordings, teacher forced: a turn counts when every token is right, which is what greedy decoding gives."""
    model.eval()
    stop = time.time() + seconds
    scores = {}
    plan = [(kind, pages) for kind, pages in (('read', 1), ('page', 1), ('pages', 4), ('many', 10))]
    round_number = 0
    with torch.no_grad():
        while time.time() < stop:
            for kind, pages in plan:
                rng = random.Random(10_000 + round_number)
                dpi = 72 if round_number % 3 else 96
                docs = {'read': 8, 'page': 16, 'pages': 5, 'many': 2}[kind]
                shape = make_shape(kind, dpi, rng, pages, None, docs, KINDS[kind]['length'], KINDS[kind]['turns'])
                batch = builder.batch(shape, 20_000 + round_number)
                batch = upload(batch, shape, artist)
                _, _, _, right, _, _ = run_batch(model, artist, shape, batch, special)
                key = f'{kind}{pages}@{dpi}'
                scores[key] = scores.get(key, 0) + turn_scores(batch, right)
            round_number += 1
    for key in sorted(scores):
        log.say('HELD OUT ' + key + ' ' + ' '.join(
            f'{TASKS[i]} {int(a[1])}/{int(a[0])}={a[1] / a[0]:.4f} (tokens {a[3] / a[2]:.5f})' for i, a in enumerate(scores[key].tolist()) if a[0]))
    model.train()


def rank_main(rank, args, task_queues, result_queue, start):
    sys.setswitchinterval(5e-4)   # the threads that feed this one must not hold it up
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu', rank)
    if device.type == 'cuda':
        torch.cuda.set_device(device)
    torch.backends.cuda.enable_cudnn_sdp(False)   # it makes a plan for every new shape: 100 ms of a step of 130
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.manual_seed(args.seed)
    if args.gpus > 1:
        os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=args.port)
        dist.init_process_group('nccl', rank=rank, world_size=args.gpus)
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(args.data + '/tokenizer.json')
    config = Config(**json.loads(args.config))
    model = Glyph(config, SLOTS * PLACES * NUM_CLASSES).to(device)
    if args.resume and args.resume.endswith('.pt'):
        model.load_state_dict(torch.load(args.resume, map_location=device))
    elif args.resume:
        parts = ('aux_head', 'model.language_model', 'lm_head') if args.fresh_language else ('aux_head',)
        state = {k: v for k, v in trained_state(args.resume).items() if not k.startswith(parts)}
        missing = model.load_state_dict(state, strict=False)
        assert not missing.unexpected_keys and all(k.startswith(parts) for k in missing.missing_keys), missing
        if args.fresh_positions:
            model.model['visual'].embeddings['position_embedding'].weight.data.copy_(waves(config.table, config.vision_hidden))
    log = Log(f'{args.out}/train.log' if rank == 0 else None)
    if rank == 0:
        log.say(f'parameters without aux head {sum(p.numel() for n, p in model.named_parameters() if "aux" not in n) / 1e6:.2f} M')
    special = special_ids(tokenizer, device)
    flat = Flat(model, args.lr, args.muon)
    artist = Artist(args.data, device)
    if args.compile:
        torch._dynamo.config.recompile_limit = 64
        for block in model.model['visual'].blocks:
            block.compile(dynamic=True)
        for layer in model.model['language_model'].layers:
            layer.compile(dynamic=True)
    progress_of = lambda: args.begin + (1 - args.begin) * min(1.0, max(0.0, (time.time() - start.value) / args.seconds))

    settle = bool(args.resume) and not args.resume.endswith('.pt')   # an exported directory has no auxiliary head
    lessons = Lessons(args.begin, progress_of, args.rung, args.coarse, args.scale)
    lead = args.lead
    issued = [0]
    step_now = [0]

    def dispatch():
        rng = random.Random(args.seed * 7919 + int(args.begin * 1000))
        while True:
            if issued[0] - step_now[0] < lead:
                shape = lessons.pick(rng)
                for r, tasks in enumerate(task_queues):
                    tasks.put((issued[0], rng.randrange(1 << 40), shape))
                issued[0] += 1
            else:
                time.sleep(.002)

    if rank == 0:
        start.value = time.time()
        threading.Thread(target=dispatch, daemon=True).start()

    feeder = Feeder(result_queue[rank], artist)
    step, waited, last_save = 0, 0.0, time.time()
    while True:
        if step % 16 == 0:   # rarely, because reading it waits for the GPU
            progress = torch.tensor(progress_of(), device=device)
            if args.gpus > 1:
                dist.broadcast(progress, 0)
            progress = progress.item()
        if progress >= 1 or step >= args.steps:
            break
        began = time.time()
        shape, batch = feeder.next()
        waited += time.time() - began
        step += 1
        step_now[0] = step
        log.begin()
        measure = step % MEASURE == 0
        settling = settle and step < args.settle
        vision = not settling and (shape.look or step % args.vision_every == 0)
        loss, aux, pointers, right, aux_right, pointed = run_batch(model, artist, shape, batch, special, vision, vision or settling, measure)
        (loss + args.aux * aux + args.pointers * pointers).backward()
        regions = ('vision',) * vision + ('heads',) * (vision or settling)
        if not shape.look:   # in which the language model has no part
            regions += ('language',)
        lr = learning_rate(progress, step, args.lr)
        flat.step(regions, lr)
        if rank == 0:
            passed = step % (2 * MEASURE) == 0 and lessons.watch(shape.kind, aux_right, right)
            if passed:
                log.say(f'{passed} after {step} steps, {time.time() - start.value:.0f} s')
            log.add(f'{shape.kind}', measure and (turn_scores(batch, right), (loss, aux, pointers), aux_right, pointed))
            if step % args.every == 0:
                log.report(f'{step} t{time.time() - start.value:.0f} p{progress:.3f} wait{waited:.0f} lr{lr:.5f}')
            if time.time() - last_save > args.save_every:
                save(model, args.out, 'latest')
                last_save = time.time()
        if args.gpus > 1 and step % 250 == 0:
            flat.share()
    if args.gpus > 1:
        dist.destroy_process_group()
    if rank == 0:
        save(model, args.out, 'final')
        log.say(f'done: {step} steps, {time.time() - start.value:.0f} s, waited {waited:.0f} s, peak memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB')
        from text import Sources
        books = [p for p in glob.glob(args.data + '/*.txt') if os.path.basename(p) in HELD_OUT]
        builder = Builder(Sources(books), Layout(np.load(args.data + '/atlas.npz')['advance']), tokenizer, 'heldout')
        evaluate(model, artist, special, builder, log, args.evaluate)
        open(f'{args.out}/DONE', 'w').write('done\n')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seconds', type=float, default=1200)
    parser.add_argument('--data', required=True)
    parser.add_argument('--out', required=True)
    parser.add_argument('--gpus', type=int, default=1)
    parser.add_argument('--lr', type=float, default=1.2e-3)
    parser.add_argument('--aux', type=float, default=1.0)
    parser.add_argument('--pointers', type=float, default=0.5, help='weight of the pointer loss')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--steps', type=int, default=10 ** 9)
    parser.add_argument('--compile', type=int, default=0, help='1: torch.compile the blocks (45 s at the start)')
    parser.add_argument('--workers', type=int, default=15, help='data workers a GPU')
    parser.add_argument('--lead', type=int, default=48, help='batches asked for in advance')
    parser.add_argument('--every', type=int, default=200, help='steps between log lines')
    parser.add_argument('--save-every', type=float, default=100)
    parser.add_argument('--evaluate', type=float, default=20, help='seconds of held-out evaluation at the end')
    parser.add_argument('--resume', help='an exported directory, or a checkpoint (.pt), to start from')
    parser.add_argument('--muon', type=int, default=1, help='Muon for the matrices of the blocks; 0: AdamW for all')
    parser.add_argument('--fresh-positions', type=int, default=0, help='1: start from a new position table when resuming')
    parser.add_argument('--fresh-language', type=int, default=0, help='1: take the vision tower alone when resuming')
    parser.add_argument('--config', default='{}', help='fields of model.Config that differ, as JSON')
    parser.add_argument('--settle', type=int, default=500, help='steps after resuming from a directory in which the vision tower is left alone')
    parser.add_argument('--vision-every', type=int, default=1, help='the vision tower learns in every N-th step only, and from all `look` batches')
    parser.add_argument('--rung', type=int, default=0, help='where on the ladder of growing blocks to start')
    parser.add_argument('--coarse', type=float, default=.62, help='share of batches at 72 dpi, the others have 96')
    parser.add_argument('--scale', type=float, default=1.0, help='size of the batches; a step of 1 leaves an H200 idle for half of its time')
    parser.add_argument('--port', default='29511', help='where the processes of several GPUs meet')
    parser.add_argument('--begin', type=float, default=0.0, help='point of the schedule to start at')
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    open(f'{args.out}/config.json', 'w').write(args.config)   # export.py reads it
    books = sorted(p for p in glob.glob(args.data + '/*.txt') if os.path.basename(p) not in HELD_OUT)
    context = mp.get_context('spawn')
    tasks = [context.Queue() for _ in range(args.gpus)]
    results = [context.Queue(64) for _ in range(args.gpus)]
    start = context.Value('d', 0.0)
    helpers = [context.Process(target=worker, args=(tasks[r], results[r], args.data, books, 'train'), daemon=True)
               for r in range(args.gpus) for _ in range(args.workers)]
    for h in helpers:
        h.start()
    ranks = [context.Process(target=rank_main, args=(r, args, tasks, results, start)) for r in range(args.gpus)]
    for r in ranks:
        r.start()
    for r in ranks:
        r.join()
    for h in helpers:
        h.kill()


if __name__ == '__main__':
    main()
