#!/usr/bin/env python3
"""Compares our tokenizer with Hugging Face `tokenizers`, id by id.

  oracle.py train   -o DIR [--vocab N] --text FILE...      byte-level BPE tokenizers of several kinds, trained on text + generated text
  oracle.py mix     -o FILE [--megabytes 50] --text FILE... English, Chinese, code, emoji, odd Unicode, broken UTF-8
  oracle.py compare --program BUILD/bin/tokenize_check --mix FILE DIR...
  oracle.py golden  -o tests/tokenize --text FILE... the small tokenizer and the golden ids of the tests
  oracle.py prompts -o tests/tokenize --template FILE      ids of conversations under a published chat template

FILE are UTF-8 files (English prose; source code helps). Needs the package `tokenizers` (goldens were made with 0.23.3).
"""
import argparse
import json
import os
import random
import struct
import subprocess
import sys

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

GLM4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = GLM4.replace(r"\p{N}{1,3}", r"\p{N}")
# The cl100k spelling with possessive quantifiers: the same idea, run by the regular expression engine on our side.
CL100K = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
CONTROL = ["<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>",
           "<|observation|>", "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>", "<|image|>",
           "<|video|>"]
WORDS = ["<think>", "</think>", "<answer>", "</answer>"]


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior=behavior, invert=invert)


def byte_level(prefix=False, regex=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)


KINDS = {
    "glm4": dict(pre=[split(GLM4), byte_level()]),
    "qwen2": dict(pre=[split(QWEN2), byte_level()], normalizer=normalizers.NFC()),
    "cl100k": dict(pre=[split(CL100K, "removed", True), byte_level()], ignore_merges=True),
    "gpt2": dict(pre=[byte_level(regex=True)]),
    "digits": dict(pre=[pre_tokenizers.Digits(individual_digits=True), byte_level(prefix=True, regex=True)]),
    "deepseek": dict(pre=[split(r"[\r\n]"), split(r"\s?\p{L}+"), pre_tokenizers.Digits(individual_digits=False),
                          split(r"[一-龥ࠀ-一가-퟿]+"), split(",", "merged_with_previous"), split(r"[#@]", "merged_with_next"),
                          split(r"=", "contiguous"), byte_level()], odd_added=True),
}


# ---------------------------------------------------------------- generated text

HAN = [chr(c) for c in range(0x4E00, 0x9FA6)]
EMOJI = ["😀", "👍🏽", "👩‍👩‍👧‍👦", "🇨🇭", "🏳️‍🌈", "❤️", "✨", "🤷🏿‍♂️", "#️⃣", "🫠", "🧑‍🚀"]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\r", "\n\n", "\u00a0", "\u2003", "\u3000", "\u180e", "\u200b", "\x0b", "\x0c", "\x85",
          "\u2028", "\u2029", "\u202f", "\u1680", "\ufeff", " \n", "\n ", "   \n  ", "\t\t"]
CONTRACTIONS = ["'s", "'S", "'\u017f", "'t", "'re", "'RE", "'Ve", "'ve", "'m", "'ll", "'LL", "'d", "'\u212a", "'lL", "''s", "'a", "’s", "'\u017fs", "'ß"]


class Source:
    """A stream of generated text with a vocabulary of its own, so that words come back as in real text."""

    def __init__(self, seed, texts):
        self.rng = random.Random(seed)
        self.texts = texts
        frequent = self.rng.sample(HAN, 3000)
        self.han_words = ["".join(self.rng.choices(frequent, weights=[1 / (i + 3) for i in range(3000)], k=self.rng.choice([1, 2, 2, 2, 3, 4])))
                          for _ in range(20000)]
        self.names = ["".join(self.rng.choices("abcdefghijklmnopqrstuvwxyz", k=self.rng.randint(2, 9))) for _ in range(4000)]

    def zipf(self, items):
        return items[min(int(self.rng.paretovariate(0.7)) - 1, len(items) - 1)]

    def english(self):
        text = self.rng.choice(self.texts)
        at = self.rng.randrange(max(1, len(text) - 4000))
        return text[at:at + self.rng.randint(200, 4000)]

    def chinese(self):
        out = []
        for _ in range(self.rng.randint(5, 60)):
            out.append("".join(self.zipf(self.han_words) for _ in range(self.rng.randint(1, 9))))
            out.append(self.rng.choice("，，，。。！？；：、“”（）《》\n"))
            if self.rng.random() < 0.1:
                out.append(str(self.rng.randint(0, 10 ** self.rng.randint(1, 9))) + self.rng.choice(["年", "月", "%", "元", " km"]))
        return "".join(out)

    def code(self):
        r, out, depth = self.rng, [], 0
        for _ in range(r.randint(5, 40)):
            name = lambda: r.choice([self.zipf(self.names), self.zipf(self.names) + "_" + self.zipf(self.names), self.zipf(self.names).title()])
            out.append(r.choice(["    ", "\t", "  "]) * depth + r.choice([
                f"def {name()}({name()}, {name()}={r.randint(0, 99999)}):", f"if ({name()} != {name()}) {{", f"return {name()}[{r.randint(0, 9)}];",
                f"x_{r.randint(0, 99)} = {r.random():.6f} * {name()}  # {name()}", f'printf("%d\\n", {name()});', f"}} else {{", f"<div class=\"{name()}\">&nbsp;</div>",
                f"// {'-' * r.randint(1, 40)}", f"std::vector<{name()}>& {name()} = *this;", f"http://{name()}.example/{name()}?q={r.randint(0, 1 << 40):x}", ""]))
            out.append(r.choice(["\n", "\n", "\n", "\r\n", "\n\n"]))
            depth = max(0, min(6, depth + r.choice([-1, 0, 0, 1])))
        return "".join(out)

    def emoji(self):
        return "".join(self.rng.choice([self.rng.choice(EMOJI), self.rng.choice(EMOJI), " ", self.zipf(self.names), "!!", "…"]) for _ in range(self.rng.randint(5, 60)))

    def odd(self):
        r, out = self.rng, []
        for _ in range(r.randint(10, 200)):
            k = r.random()
            if k < 0.25:
                c = r.randrange(0x110000)
                out.append(chr(c) if not 0xD800 <= c <= 0xDFFF else "x")
            elif k < 0.4:
                out.append(chr(r.randrange(0x80, 0x3000)))
            elif k < 0.55:
                out.append(r.choice(SPACES) * r.choice([1, 1, 1, 2, 5]))
            elif k < 0.65:
                out.append(r.choice(CONTRACTIONS))
            elif k < 0.75:
                out.append("".join(r.choices("0123456789٣४௪Ⅷ½²", k=r.randint(1, 8))))
            elif k < 0.8:
                out.append(r.choice(CONTROL + WORDS) if r.random() < 0.7 else r.choice(CONTROL)[:-1])
            elif k < 0.85:
                out.append(r.choice(["é", "ä̈", "ﬁ", "①", "각", "が", "ṩ", "Å"]))
            else:
                out.append(self.zipf(self.names))
        return "".join(out)

    def broken(self):
        r = self.rng
        good = bytearray((self.chinese() + self.emoji() + self.odd()).encode())
        for _ in range(r.randint(1, 40)):
            k, at = r.random(), r.randrange(len(good))
            if k < 0.4:
                good[at] = r.randrange(256)
            elif k < 0.7:
                del good[at]
            else:
                good[at:at] = r.choice([b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xf0\x82\x82\xac", b"\xff\xfe", b"\xe4\xbd", b"\xf0\x9f\x98"])
        return bytes(good)

    def next(self):
        kind = self.rng.choices(["english", "chinese", "code", "emoji", "odd", "broken"], [32, 26, 22, 5, 8, 7])[0]
        part = getattr(self, kind)()
        return part if isinstance(part, bytes) else part.encode()


def generate(seed, texts, size):
    source, out, total = Source(seed, texts), [], 0
    while total < size:
        out.append(source.next())
        total += len(out[-1])
    return b"".join(out)[:size]


def read_texts(paths):
    return [open(path, encoding="utf-8", errors="replace").read() for path in paths] or ["The quick brown fox jumps over the lazy dog. " * 200]


# ---------------------------------------------------------------- tokenizers

def make(kind, vocab_size, texts):
    spec = KINDS[kind]
    tokenizer = Tokenizer(models.BPE(ignore_merges=spec.get("ignore_merges", False)))
    if "normalizer" in spec:
        tokenizer.normalizer = spec["normalizer"]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(spec["pre"]) if len(spec["pre"]) > 1 else spec["pre"][0]
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=2, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer)
    if spec.get("odd_added"):
        # Every flag of an added token, ordinary ones among them.
        tokenizer.add_tokens([AddedToken("</think>", normalized=True), AddedToken("<think>", lstrip=True, rstrip=True, normalized=False),
                              AddedToken("<eop>", single_word=True), AddedToken("the", single_word=True, normalized=False), AddedToken("<|im", rstrip=True)])
        tokenizer.add_special_tokens([AddedToken(t, special=True, lstrip=t == "<sop>", rstrip=t == "<|user|>") for t in CONTROL if t != "<eop>"])
    else:
        tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in CONTROL])
        tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in WORDS])
    return tokenizer


def train(args):
    texts = read_texts(args.text)
    corpus = generate(1, texts, int(args.megabytes * 1e6)).decode("utf-8", "replace")
    parts = [corpus[i:i + 100000] for i in range(0, len(corpus), 100000)]
    for kind in args.kinds or KINDS:
        directory = os.path.join(args.output, kind)
        os.makedirs(directory, exist_ok=True)
        make(kind, args.vocab, parts).save(os.path.join(directory, "tokenizer.json"))
        print(directory)


def mix(args):
    with open(args.output, "wb") as f:
        f.write(generate(2, read_texts(args.text), int(args.megabytes * 1e6)))


# ---------------------------------------------------------------- comparison

def chunks_of(data, size):
    return [data[i:i + size] for i in range(0, len(data), size)]


def run_program(program, directory, mix_file, chunk):
    done = subprocess.run([program, directory, mix_file, str(chunk)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"{program}: exit {done.returncode}: {done.stderr.decode()}")
    print("  " + done.stderr.decode().strip())
    at, out = 0, done.stdout
    while at < len(out):
        (count,) = struct.unpack_from("<i", out, at)
        yield struct.unpack_from(f"<{count}i", out, at + 4)
        at += 4 + 4 * count


def compare(args):
    data = open(args.mix, "rb").read()
    total = 0
    for directory in args.directory:
        print(directory)
        reference = Tokenizer.from_file(os.path.join(directory, "tokenizer.json"))
        texts = [chunk.decode("utf-8", "replace") for chunk in chunks_of(data, args.chunk)]
        wrong = 0
        for number, (text, ours) in enumerate(zip(texts, run_program(args.program, directory, args.mix, args.chunk), strict=True)):
            theirs = reference.encode(text, add_special_tokens=False).ids
            if tuple(theirs) == ours:
                continue
            wrong += 1
            first = next((i for i, (a, b) in enumerate(zip(theirs, ours)) if a != b), min(len(theirs), len(ours)))
            if wrong <= 3:
                print(f"  chunk {number}, token {first}: theirs {theirs[first:first + 6]} {reference.decode(theirs[max(0, first - 4):first + 6], skip_special_tokens=False)!r}, ours {ours[first:first + 6]}")
        print(f"  {len(texts)} chunks, {wrong} differ")
        total += wrong
    sys.exit(1 if total else 0)


# ---------------------------------------------------------------- goldens

GOLDEN_TEXTS = [
    "", " ", "Hello, world!", "It's they'RE we'Ll I'm don'T 'S'\u017f '\u212a", "  two  spaces\n\n\tand tabs \r\n end   ", "1234567 3.14159 ٣٤٥ Ⅷ½",
    "预算由谁批准？2024年，共 1,234 元。", "👩‍👩‍👧‍👦 🇨🇭 👍🏽 naïve café ﬁ", "int main(void) {\n    return x[0] != 0;  // done\n}\n", "a  b\u180ec\u2003d\u3000e\u00a0f",
    "<|user|>\nWhat is it?<|assistant|>\n", "text<think>x</think> <|image|><|image|> <|imag", "[gMASK]<sop><|system|>\nBe brief.", "\u1c89\u10d4a\U00013460\U0002ebf0x\U00010d40",
    "\ufffd\ufffd broken", "....!!!\n\n\n===\r\n", "e<eop>e the <eop> e_e", "\u00e4\u1df8\u0308 x\u0315\u1df8 x\u0315\u1dc2 e\u0301 \u212b", " <sop>  x  <|user|>  y",
]
GOLDEN_BYTES = ["e4bda0e5a5", "ff41c0af42eda080", "f09f988041f09f98", "3c7c757365727c3ee4bd20f4908080"]


def golden(args):
    texts = read_texts(args.text)
    corpus = generate(3, texts, 1_500_000).decode("utf-8", "replace")
    out = {"tokenizers": tokenizers.__version__, "cases": []}
    for kind in KINDS:
        tokenizer = make(kind, 256 + (600 if kind == "glm4" else 200), [corpus])
        name = f"{kind}.tokenizer.json"
        with open(os.path.join(args.output, name), "w", encoding="utf-8") as f:
            json.dump(json.loads(tokenizer.to_str()), f, ensure_ascii=True, separators=(",", ":"))
            f.write("\n")
        for raw in [t.encode() for t in GOLDEN_TEXTS] + [bytes.fromhex(h) for h in GOLDEN_BYTES]:
            ids = tokenizer.encode(raw.decode("utf-8", "replace"), add_special_tokens=False).ids
            out["cases"].append({"tokenizer": name, "hex": raw.hex(), "ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=True).encode().hex(),
                                 "text_all": tokenizer.decode(ids, skip_special_tokens=False).encode().hex()})
    with open(os.path.join(args.output, "golden.json"), "w", encoding="utf-8") as f:
        f.write('{"tokenizers":' + json.dumps(out["tokenizers"]) + ',"cases":[\n')
        f.write(",\n".join(json.dumps(case, separators=(",", ":")) for case in out["cases"]) + "\n]}\n")


# ---------------------------------------------------------------- prompts

# Turns: role, features of each page, text.
CONVERSATIONS = [
    [["user", [], "Who approved the budget?"]],
    [["user", [3, 1, 5], "Who approved the budget?"]],
    [["system", [], "Be brief."], ["user", [2], " leading space"], ["assistant", [], "An answer.\n"], ["user", [], "\n\nwhy\n"]],
    [["user", [1], ""], ["assistant", [], "42"], ["user", [4, 4], "预算由谁批准？"]],
]


def prompts(args):
    from transformers.utils.chat_template_utils import render_jinja_template

    template = open(args.template, encoding="utf-8").read()
    tokenizer = Tokenizer.from_file(os.path.join(args.output, "glm4.tokenizer.json"))
    image, cases = "<|image|>", []
    for turns in CONVERSATIONS:
        messages = [{"role": role, "content": [{"type": "image"} for _ in pages] + [{"type": "text", "text": text}] if pages else text}
                    for role, pages, text in turns]
        parts = render_jinja_template([messages], chat_template=template, add_generation_prompt=True)[0][0].split(image)
        counts = [count for _, pages, _ in turns for count in pages]
        text = "".join(part + image * count for part, count in zip(parts, counts + [0], strict=True))
        cases.append({"turns": turns, "ids": tokenizer.encode(text, add_special_tokens=False).ids})
    with open(os.path.join(args.output, "prompts.json"), "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    p = commands.add_parser("train")
    p.set_defaults(run=train)
    p.add_argument("-o", "--output", required=True)
    p.add_argument("--vocab", type=int, default=20000)
    p.add_argument("--megabytes", type=float, default=10)
    p.add_argument("--kinds", nargs="*", choices=list(KINDS))
    p.add_argument("--text", nargs="*", default=[])
    p = commands.add_parser("mix")
    p.set_defaults(run=mix)
    p.add_argument("-o", "--output", required=True)
    p.add_argument("--megabytes", type=float, default=50)
    p.add_argument("--text", nargs="*", default=[])
    p = commands.add_parser("compare")
    p.set_defaults(run=compare)
    p.add_argument("--program", required=True)
    p.add_argument("--mix", required=True)
    p.add_argument("--chunk", type=int, default=1_000_003)
    p.add_argument("directory", nargs="+")
    p = commands.add_parser("golden")
    p.set_defaults(run=golden)
    p.add_argument("-o", "--output", required=True)
    p.add_argument("--text", nargs="*", default=[])
    p = commands.add_parser("prompts")
    p.set_defaults(run=prompts)
    p.add_argument("-o", "--output", required=True)
    p.add_argument("--template", required=True)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
