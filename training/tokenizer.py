"""Train glyph-mini's tokenizer: byte-level BPE, 4,096 ids, GLM-4.1V's control tokens at the end, digits one by one.

Run: python3 tokenizer.py OUT.json BOOK.txt ...   (needs the tokenizers package)
"""
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import facts
from text import Sources

VOCABULARY = 4096
CONTROL = ['<|endoftext|>', '[MASK]', '[gMASK]', '[sMASK]', '<sop>', '<eop>', '<|system|>', '<|user|>', '<|assistant|>', '<|observation|>',
           '<|begin_of_image|>', '<|end_of_image|>', '<|begin_of_video|>', '<|end_of_video|>', '<|image|>', '<|video|>']
TAGS = ['<think>', '</think>', '<answer>', '</answer>']
# GLM-4's pattern, with single digits instead of groups of up to three.
PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def training_text(paths):
    sources, rng = Sources(paths), random.Random(7)
    for book in sources.books:
        for at in range(0, len(book), 4000):
            if rng.random() < .25:
                yield book[at:at + 4000]
    for _ in range(6000):
        yield facts.filler_paragraph(rng)
        for f in facts.make_facts(rng, 4, 'train'):
            yield f.statement
            for q, _ in f.qa:
                yield facts.dress_question(rng, q)
        yield ' '.join(sources.word(rng) for _ in range(40))
        yield sources.shuffled(rng)


def main(out, paths):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior='isolated'),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    size = VOCABULARY - len(CONTROL) - len(TAGS)
    tokenizer.train_from_iterator(training_text(paths), trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False, max_token_length=16))
    assert tokenizer.get_vocab_size() == size, tokenizer.get_vocab_size()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in CONTROL])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in TAGS])
    tokenizer.save(out)


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2:])
