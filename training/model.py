"""Glm4v for training: the mathematics of transformers' Glm4vForConditionalGeneration (models/glm4v), with its parameter names.

Dense batches only: every document of a batch has the same page shapes, so no masks are needed and attention is one call.
"""
import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


MAX_CELLS = 64   # rows, or columns, of visual tokens that the auxiliary target tells apart


@dataclass
class Config:
    vision_hidden: int = 384
    vision_depth: int = 8
    vision_heads: int = 6
    table: int = 24             # learned position table, table x table
    hidden: int = 512           # language width; also the width inside the vision blocks' SwiGLU (out_hidden_size)
    merger: int = 1024          # SwiGLU of the merger (vision intermediate_size)
    layers: int = 8
    heads: int = 8
    kv_heads: int = 4           # the values of a cell's 17 characters pass through its heads
    intermediate: int = 800
    vocab: int = 4096
    rope_theta: float = 10000.0   # low frequencies: words are found by what they are, pages away; where a cell is, the vision tower says
    sections: tuple = (4, 6, 6)
    vision_theta: float = 10000.0
    eps: float = 1e-5


class RMSNorm(nn.Module):
    def __init__(self, size, eps, gain=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.full((size,), gain))
        self.eps = eps

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


def rotate(x, cos, sin, swap):
    """x (..., S, size) turned by angles; swap: the other member of each pair, with the sign in `sin`."""
    return torch.addcmul(x * cos, swap(x), sin)


def swap_halves(x):
    return x.roll(x.shape[-1] // 2, -1)


def swap_neighbours(x):
    return x.unflatten(-1, (-1, 2)).flip(-1).flatten(-2)


def side_by_side(x, *linears):
    """The outputs of several linear maps of one input, one after another in the last dimension: one product instead of several."""
    bias = None if linears[0].bias is None else torch.cat([l.bias for l in linears])
    return F.linear(x, torch.cat([l.weight for l in linears]), bias)


class VisionBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c.vision_hidden
        self.heads = c.vision_heads
        self.norm1, self.norm2 = RMSNorm(d, c.eps), RMSNorm(d, c.eps)
        self.attn = nn.ModuleDict({'qkv': nn.Linear(d, 3 * d, bias=False), 'proj': nn.Linear(d, d, bias=False)})
        self.mlp = nn.ModuleDict({'gate_proj': nn.Linear(d, c.hidden, bias=False), 'up_proj': nn.Linear(d, c.hidden, bias=False),
                                  'down_proj': nn.Linear(c.hidden, d, bias=False)})

    def forward(self, x, cos, sin):
        b, s, d = x.shape
        qk, v = self.attn['qkv'](self.norm1(x)).view(b, s, 3, self.heads, d // self.heads).split((2, 1), 2)
        q, k = rotate(qk, cos[:, None, None], sin[:, None, None], swap_halves).transpose(1, 3).unbind(2)
        y = F.scaled_dot_product_attention(q, k, v[:, :, 0].transpose(1, 2))
        x = x + self.attn['proj'](y.transpose(1, 2).reshape(b, s, d))
        gate, up = side_by_side(self.norm2(x), self.mlp['gate_proj'], self.mlp['up_proj']).chunk(2, -1)
        return x + self.mlp['down_proj'](F.silu(gate) * up)


class Merger(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, m = c.hidden, c.merger
        self.proj = nn.Linear(d, d, bias=False)
        self.post_projection_norm = nn.LayerNorm(d)
        self.gate_proj, self.up_proj = nn.Linear(d, m, bias=False), nn.Linear(d, m, bias=False)
        self.down_proj = nn.Linear(m, d, bias=False)

    def forward(self, x):
        x = F.gelu(self.post_projection_norm(self.proj(x)))
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Vision(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c.vision_hidden
        self.c = c
        # Grey pages: one channel stands for the three channels and two frames of the published convolution (see export.py).
        self.patch_embed = nn.ModuleDict({'proj': nn.Linear(196, d)})
        self.post_conv_layernorm = RMSNorm(d, c.eps)
        self.embeddings = nn.ModuleDict({'position_embedding': nn.Embedding(c.table * c.table, d)})
        self.blocks = nn.ModuleList(VisionBlock(c) for _ in range(c.vision_depth))
        self.post_layernorm = RMSNorm(d, c.eps)
        self.downsample = nn.Conv2d(d, c.hidden, 2, 2)
        self.merger = Merger(c)
        self.cache = {}

    def coordinates(self, rows, columns, device):
        """Row and column of each patch in merge order: 2 x 2 groups in raster order."""
        y, x = torch.meshgrid(torch.arange(rows, device=device), torch.arange(columns, device=device), indexing='ij')
        order = lambda t: t.view(rows // 2, 2, columns // 2, 2).permute(0, 2, 1, 3).reshape(-1)
        return order(y), order(x)

    def rotary(self, rows, columns, device, dtype):
        key = (rows, columns, dtype)
        if key not in self.cache:
            y, x = self.coordinates(rows, columns, device)
            spatial = self.c.vision_hidden // self.c.vision_heads // 2
            f = 1.0 / self.c.vision_theta ** (torch.arange(0, spatial, 2, device=device).float() / spatial)
            angle = torch.cat((y[:, None] * f, x[:, None] * f), -1)
            grid = torch.stack(((x + .5) / columns * 2 - 1, (y + .5) / rows * 2 - 1), -1).view(1, -1, 1, 2)
            cos, sin = torch.cat((angle.cos(),) * 2, -1), torch.cat((-angle.sin(), angle.sin()), -1)
            self.cache[key] = (cos.to(dtype), sin.to(dtype), grid)
        return self.cache[key]

    def forward(self, pixels):
        """pixels: (pages, height, width) in [-2, 0], white is 0 -> features (pages, height / 28 * width / 28, hidden)."""
        pages, height, width = pixels.shape
        rows, columns = height // 14, width // 14
        cos, sin, grid = self.rotary(rows, columns, pixels.device, pixels.dtype)
        x = pixels.view(pages, rows // 2, 2, 14, columns // 2, 2, 14).permute(0, 1, 4, 2, 5, 3, 6).reshape(pages, rows * columns, 196)
        x = self.post_conv_layernorm(self.patch_embed['proj'](x))
        table = self.embeddings['position_embedding'].weight.float().view(1, self.c.table, self.c.table, -1).permute(0, 3, 1, 2)
        where = F.grid_sample(table, grid.float(), mode='bicubic', align_corners=False, padding_mode='border')
        x = x + where[0, :, :, 0].t().to(x.dtype)
        for block in self.blocks:
            x = block(x, cos, sin)
        x = self.post_layernorm(x)
        # The 2 x 2 convolution with stride 2, written as one matrix product over (channel, y, x).
        x = x.view(pages, rows * columns // 4, 4, -1).transpose(2, 3).reshape(pages, rows * columns // 4, -1)
        x = F.linear(x, self.downsample.weight.flatten(1).to(x.dtype), self.downsample.bias.to(x.dtype))
        return self.merger(x)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv_heads, self.size = c.heads, c.kv_heads, c.hidden // c.heads
        self.q_proj = nn.Linear(c.hidden, c.heads * self.size)
        self.k_proj = nn.Linear(c.hidden, c.kv_heads * self.size)
        self.v_proj = nn.Linear(c.hidden, c.kv_heads * self.size)
        self.o_proj = nn.Linear(c.heads * self.size, c.hidden, bias=False)

    def forward(self, x, cos, sin):
        b, s, _ = x.shape
        qk, v = side_by_side(x, self.q_proj, self.k_proj, self.v_proj).view(b, s, -1, self.size).split((self.heads + self.kv_heads, self.kv_heads), 2)
        q, k = rotate(qk, cos[:, None], sin[:, None], swap_neighbours).transpose(1, 2).split((self.heads, self.kv_heads), 1)
        y = F.scaled_dot_product_attention(q, k, v.transpose(1, 2), is_causal=True, enable_gqa=True)
        return self.o_proj(y.transpose(1, 2).reshape(b, s, -1))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        gain = 1 / math.sqrt(2 * c.layers)
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(c.hidden, c.eps), RMSNorm(c.hidden, c.eps)
        self.post_self_attn_layernorm, self.post_mlp_layernorm = RMSNorm(c.hidden, c.eps, gain), RMSNorm(c.hidden, c.eps, gain)
        self.self_attn = Attention(c)
        self.mlp = nn.ModuleDict({'gate_up_proj': nn.Linear(c.hidden, 2 * c.intermediate, bias=False),
                                  'down_proj': nn.Linear(c.intermediate, c.hidden, bias=False)})

    def forward(self, x, cos, sin):
        x = x + self.post_self_attn_layernorm(self.self_attn(self.input_layernorm(x), cos, sin))
        gate, up = self.mlp['gate_up_proj'](self.post_attention_layernorm(x)).chunk(2, -1)
        return x + self.post_mlp_layernorm(self.mlp['down_proj'](up * F.silu(gate)))


class Language(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embed_tokens = nn.Embedding(c.vocab, c.hidden)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.layers))
        self.norm = RMSNorm(c.hidden, c.eps)

    def rotary(self, positions, dtype):
        """positions: (3, S) -> cos, sin (S, head size): time, height and width in `sections`; neighbours are pairs, the second half stays."""
        pairs = self.c.hidden // self.c.heads // 4
        f = 1.0 / self.c.rope_theta ** (torch.arange(pairs, device=positions.device).float() / pairs)
        angle = positions.float()[:, :, None] * f
        angle = torch.cat([a[i] for i, a in enumerate(angle.split(self.c.sections, -1))], -1)
        stays = torch.zeros_like(angle)
        angle = torch.cat((angle, stays), -1).repeat_interleave(2, -1)
        sign = torch.tensor([-1.0, 1.0], device=angle.device).repeat(angle.shape[-1] // 2)
        return angle.cos().to(dtype), (angle.sin() * sign).to(dtype)

    def forward(self, x, positions, keep=None):
        """x (B, S, hidden), positions (3, S) -> (B, S, hidden). keep: a dict that gets the input of each layer that is a key of it."""
        cos, sin = self.rotary(positions, x.dtype)
        for number, layer in enumerate(self.layers):
            if keep is not None and number in keep:
                keep[number] = x
            x = layer(x, cos, sin)
        return self.norm(x)


def document_positions(prefix, grids, length, device):
    """3-axis positions (get_rope_index): `prefix` text tokens, then a page = begin, rows x columns, end; then text up to `length`."""
    parts, at = [], 0

    def text(n):
        nonlocal at
        parts.append(torch.arange(at, at + n, device=device).expand(3, n))
        at += n

    text(prefix)
    for rows, columns in grids:
        text(1)
        y, x = torch.meshgrid(torch.arange(rows, device=device), torch.arange(columns, device=device), indexing='ij')
        parts.append(torch.stack((torch.zeros_like(y), y, x)).reshape(3, -1) + at)
        at += max(rows, columns)
        text(1)
    used = sum(p.shape[1] for p in parts)
    text(length - used)
    return torch.cat(parts, 1)


def waves(size, width, harmonics=10, rms=0.3):
    """(size * size, width): a position table to start from, sines and cosines of row and column in random directions. The patches
    have a root mean square of about one; a table of 0.02 was never used, and the language model had no idea where a character stood."""
    generator = torch.Generator().manual_seed(0)
    u = (torch.arange(size) + .5) / size
    angle = math.pi * u[:, None] * torch.arange(1, harmonics + 1)
    axis = torch.cat((angle.sin(), angle.cos()), 1) / torch.arange(1, harmonics + 1).sqrt().repeat(2)
    n = 2 * harmonics
    both = torch.cat((axis[:, None].expand(size, size, n), axis[None].expand(size, size, n)), -1).reshape(size * size, 2 * n)
    table = (both - both.mean(0)) @ torch.randn(2 * n, width, generator=generator)
    return table * (rms / table.pow(2).mean().sqrt())


class Glyph(nn.Module):
    def __init__(self, c, aux_size, places=30, ahead=8):
        super().__init__()
        self.c = c
        self.model = nn.ModuleDict({'visual': Vision(c), 'language_model': Language(c)})
        self.lm_head = nn.Linear(c.hidden, c.vocab, bias=False)
        self.aux_head = nn.Linear(c.hidden, aux_size)            # training only: characters of a visual token
        self.aux_head_cell = nn.Linear(c.hidden, 2 * MAX_CELLS)  # training only: its row and its column
        self.aux_head_spot = nn.Linear(c.hidden, places)         # training only: where in its cell the next token begins
        self.aux_head_ahead = nn.Linear(c.hidden, ahead * 256)   # training only: the characters that come next
        self.init_weights()

    def init_weights(self):
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                nn.init.normal_(module.weight, 0, 1 / math.sqrt(module.weight[0].numel()))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, 0, 0.02)
        visual, language = self.model['visual'], self.model['language_model']
        nn.init.normal_(language.embed_tokens.weight, 0, 0.5)
        for block in visual.blocks:
            for m in (block.attn['proj'], block.mlp['down_proj']):
                m.weight.data.mul_(1 / math.sqrt(2 * self.c.vision_depth))
        visual.embeddings['position_embedding'].weight.data.copy_(waves(self.c.table, self.c.vision_hidden))
        nn.init.normal_(visual.patch_embed['proj'].bias, 0, 0.2)   # blank patches are zero, and the norm behind them must not blow up
        visual.merger.down_proj.weight.data.mul_(2)   # a gated product of small numbers: without this the features start near zero
        for head in (self.lm_head, self.aux_head, self.aux_head_cell, self.aux_head_spot, self.aux_head_ahead):
            head.weight.data.mul_(0.5)
