"""Check model.py and export.py against transformers: random weights, two pages, the same logits.

The pages need no resize: torchvision's uint8 resize rounds between its two passes, ours in training rounds once.

Run: python3 parity.py TOKENIZER.json SCRATCH_DIR   (needs torch, transformers, torchvision)
"""
import sys

import torch
from tokenizers import Tokenizer
from transformers import Glm4vForConditionalGeneration, Glm4vImageProcessor

from export import export
from model import Config, Glyph, document_positions


def main(tokenizer_path, out):
    torch.manual_seed(3)
    tokenizer = Tokenizer.from_file(tokenizer_path)
    tid = tokenizer.token_to_id
    model = Glyph(Config(), 8)
    for p in model.parameters():   # bf16-representable weights, and norms and biases that are not at their start values
        p.data = (p.data + 0.02 * torch.randn_like(p)).bfloat16().float()
    patch = model.model['visual'].patch_embed['proj'].weight
    patch.data = ((patch.data / 6).bfloat16().float() * 6)
    export(model.state_dict(), tokenizer_path, out)
    reference = Glm4vForConditionalGeneration.from_pretrained(out, dtype=torch.float32)
    processor = Glm4vImageProcessor.from_pretrained(out)
    pages = [torch.randint(0, 256, (h, w), dtype=torch.uint8) for h, w in ((112, 308), (196, 168))]
    batch = processor([p[None].expand(3, -1, -1) for p in pages], return_tensors='pt')
    grids = [(int(h) // 2, int(w) // 2) for _, h, w in batch['image_grid_thw']]
    ids = [tid('[gMASK]'), tid('<sop>'), tid('<|user|>')] + tokenizer.encode('\n').ids
    for rows, columns in grids:
        ids += [tid('<|begin_of_image|>')] + [tid('<|image|>')] * (rows * columns) + [tid('<|end_of_image|>')]
    text = tokenizer.encode('Who approved the budget?').ids + [tid('<|assistant|>')] + tokenizer.encode('\n').ids
    ids = torch.tensor([ids + text])
    with torch.no_grad():
        theirs = reference(input_ids=ids, mm_token_type_ids=(ids == tid('<|image|>')).int(), **batch).logits[0, -len(text):]
        x = [model.model['visual'](p[None] / 127.5 - 2) for p in pages]
        embed = model.model['language_model'].embed_tokens
        mark = lambda t: embed(torch.tensor([[tid(t)]]))
        parts = [embed(ids[:, :4])]
        for feature in x:
            parts += [mark('<|begin_of_image|>'), feature, mark('<|end_of_image|>')]
        x = torch.cat(parts + [embed(torch.tensor([text]))], 1)
        ours = model.lm_head(model.model['language_model'](x, document_positions(4, grids, x.shape[1], x.device)))[0, -len(text):]
    print('largest difference of logits', (ours - theirs).abs().max().item(), 'of', theirs.abs().max().item())
    assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


if __name__ == '__main__':
    main(*sys.argv[1:])
