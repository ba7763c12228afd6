"""Pointers: a few attention heads of the language model are told where to look.

The page is known to the glyph, so for every token of an answer it is known in which visual token it stands. One head learns to look at the
place of the token that was just read, others at the first and at the last cell of the token that comes next, and a linear head names the
place of its first character inside its cell; another one names the characters that come next, which a token is then made of. Left to itself,
a model of this size finds the two or three lines that it can count to.
"""
import torch
import torch.nn.functional as F

from model import rotate, swap_neighbours
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
    q, k = rotate(q, cos[begin:], sin[begin:], swap_neighbours), rotate(k, cos[PREFIX:begin], sin[PREFIX:begin], swap_neighbours)
    return q.float() @ k.float().transpose(1, 2) * size ** -0.5


def pointer_loss(model, inputs, cos, sin, batch, text, measure):
    """inputs: layer -> its input (B, S, hidden) -> loss, and if `measure` the share of right pointers (heads of HERE, FIRST, LAST, the spot, the
    characters ahead)."""
    language = model.model['language_model']
    jobs = [(heads, goal) for heads, goal in ((HERE, 'here'), (FIRST, 'first'), (LAST, 'last')) for heads in heads]
    losses, right = [], []
    for (layer, head), goal in jobs:
        logits = scores(language, layer, head, inputs[layer], cos, sin, text).flatten(0, 1)
        losses.append(named(logits, batch[goal].flatten(), right if measure else None))
    spots = model.aux_head_spot(hidden_at(inputs[SPOT_LAYER], text, batch['state'])).float()
    losses.append(named(spots, batch['spot'], right if measure else None))
    names = model.aux_head_ahead(hidden_at(inputs[AHEAD_LAYER], text, batch['state'])).float().view(-1, 256)
    ahead = batch['ahead'].flatten().long()
    ahead_loss = named(names, torch.where(ahead == NO_CHAR, -1, ahead), right if measure else None)
    return torch.stack(losses).mean() + ahead_loss, torch.stack(right) if measure else None


def named(logits, target, right):
    """Cross entropy of the rows whose target is not -1; their share of right ones is added to `right`, if that is a list."""
    count = (target >= 0).sum().clamp(min=1)
    if right is not None:
        with torch.no_grad():
            right.append((logits.argmax(-1) == target).sum() / count)
    return F.cross_entropy(logits, target, reduction='sum', ignore_index=-1) / count


def hidden_at(x, text, states):
    """x (B, S, hidden) -> (n, hidden): the states of the last `text` tokens at `states`, indices into (B * text), normalized."""
    chosen = x[:, x.shape[1] - text:].reshape(-1, x.shape[2]).index_select(0, states)
    return F.rms_norm(chosen, chosen.shape[-1:])
