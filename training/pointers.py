"""Pointers: a few attention heads of the language model are told where to look.

The page is known to the glyph, so for every token of an answer it is known in which visual token it stands. One head learns to look at the
place of the token that was just read, others at the first and at the last cell of the token that comes next, and a linear head names the
place of its first character inside its cell; another one names the characters that come next, which a token is then made of. Left to itself,
a model of this size finds the two or three lines that it can count to.
"""
import torch
import torch.nn.functional as F

from model import rotate_language
from tasks import NO_CHAR, PREFIX

HERE = ((2, 0), (3, 4))           # (layer, head): look at the last cell of the token that was just read
FIRST = ((4, 0), (5, 2), (6, 0))  # at the first cell of the next token
LAST = ((5, 6), (6, 6))           # at its last cell
SPOT_LAYER = 5                    # the place in the cell is named before this layer
AHEAD_LAYER = 7                   # and the characters before this one


def scores(language, layer, head, x, cos, sin, text):
    """Attention scores of one head from the last `text` tokens to the pages. x (B, S, hidden): the layer's input -> (B, text, S - PREFIX - text)."""
    module = language.layers[layer]
    attention, x = module.self_attn, module.input_layernorm(x)
    size, group = attention.size, head * attention.kv_heads // attention.heads
    begin, rows, columns = x.shape[1] - text, slice(head * size, (head + 1) * size), slice(group * size, (group + 1) * size)
    q = F.linear(x[:, begin:], attention.q_proj.weight[rows], attention.q_proj.bias[rows])
    k = F.linear(x[:, PREFIX:begin], attention.k_proj.weight[columns], attention.k_proj.bias[columns])
    q, k = rotate_language(q, cos[begin:], sin[begin:]), rotate_language(k, cos[PREFIX:begin], sin[PREFIX:begin])
    with torch.autocast(x.device.type, enabled=False):
        return q.float() @ k.float().transpose(1, 2) * size ** -0.5


def pointer_loss(model, inputs, cos, sin, batch, text):
    """inputs: layer -> its input (B, S, hidden) -> loss, and the share of right pointers (heads of HERE, FIRST, LAST, the spot, the characters ahead)."""
    language, b = model.model['language_model'], batch['ids'].shape[0]
    doc, position = batch['at'] // (text - 1), batch['at'] % (text - 1)
    ends = batch['next']
    known = (ends[:, 0] >= 0).float()
    jobs = [(layer, head, batch['here at'], batch['here'], torch.ones_like(batch['here'], dtype=torch.float)) for layer, head in HERE]
    for heads, column in ((FIRST, 0), (LAST, 1)):
        jobs += [(layer, head, doc * text + position, ends[:, column], known) for layer, head in heads]
    losses, right = [], []
    for layer, head, rows, target, weight in jobs:
        logits = scores(language, layer, head, inputs[layer], cos, sin, text)
        logits = logits.reshape(b * text, -1)
        goal = logits[rows, (target - PREFIX).clamp(min=0)]
        total = torch.logsumexp(logits, -1)[rows]
        losses.append(((total - goal) * weight).sum() / weight.sum().clamp(min=1))
        with torch.no_grad():
            right.append(((goal >= logits.amax(-1)[rows]) * weight).sum() / weight.sum().clamp(min=1))
    pick = doc * text + position
    spots = model.aux_head_spot(hidden_at(inputs[SPOT_LAYER], text, pick)).float()
    losses.append((F.cross_entropy(spots, ends[:, 2].clamp(min=0), reduction='none') * known).sum() / known.sum().clamp(min=1))
    names = model.aux_head_ahead(hidden_at(inputs[AHEAD_LAYER], text, pick)).float().view(-1, 256)
    ahead = batch['ahead'].long().flatten()
    asked = (ahead != NO_CHAR).float()
    ahead_loss = (F.cross_entropy(names, ahead, reduction='none') * asked).sum() / asked.sum().clamp(min=1)
    with torch.no_grad():
        right.append(((spots.argmax(-1) == ends[:, 2]) * known).sum() / known.sum().clamp(min=1))
        right.append(((names.argmax(-1) == ahead) * asked).sum() / asked.sum().clamp(min=1))
    return torch.stack(losses).mean() + ahead_loss, torch.stack(right)


def hidden_at(x, text, pick):
    """x (B, S, hidden) -> (n, hidden): the states of the last `text` tokens at `pick`, indices into (B * text), normalized."""
    states = x[:, x.shape[1] - text:].reshape(-1, x.shape[2])[pick]
    return F.rms_norm(states, states.shape[-1:])
