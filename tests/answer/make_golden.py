#!/usr/bin/env python3
"""Golden numbers of the sampler: what transformers' logits processors make of given logits. Usage: make_golden.py > golden.json

Needs torch and transformers (made with 5.17). null stands for -infinity.
"""
import json
import random

import torch
from transformers.generation import logits_process as lp

VOCABULARY = 48


def logits_of(seed):
    rng = random.Random(seed)
    values = [round(rng.gauss(0, 3), 2) for _ in range(VOCABULARY)]
    for _ in range(6):  # equals, and one that is masked already
        values[rng.randrange(VOCABULARY)] = values[rng.randrange(VOCABULARY)]
    values[rng.randrange(VOCABULARY)] = float("-inf")
    return values


def result(processors, ids, values):
    scores = torch.tensor([values], dtype=torch.float32)
    for processor in processors:
        scores = processor(torch.tensor([ids]), scores)
    return [None if x == float("-inf") else x for x in scores[0].tolist()]


cases = []
for seed in range(6):
    values = logits_of(seed)
    ids = [random.Random(seed + 100).randrange(VOCABULARY) for _ in range(10)]
    for name, value, processor in [
        ("repetition_penalty", 1.1, lp.RepetitionPenaltyLogitsProcessor(1.1)), ("repetition_penalty", 0.7, lp.RepetitionPenaltyLogitsProcessor(0.7)),
        ("top_k", 1, lp.TopKLogitsWarper(1)), ("top_k", 5, lp.TopKLogitsWarper(5)), ("top_k", 1000, lp.TopKLogitsWarper(1000)),
        ("top_p", 0.0, lp.TopPLogitsWarper(0.0)), ("top_p", 0.3, lp.TopPLogitsWarper(0.3)), ("top_p", 0.9, lp.TopPLogitsWarper(0.9)),
        ("top_p", 0.999, lp.TopPLogitsWarper(0.999)), ("min_p", 0.05, lp.MinPLogitsWarper(0.05)), ("min_p", 0.5, lp.MinPLogitsWarper(0.5)),
    ]:
        out = result([processor], ids, values)
        cases.append({"option": name, "value": value, "ids": ids, "logits": [None if x == float("-inf") else x for x in values], "scores": out})
    log_softmax = torch.log_softmax(torch.tensor(values), -1).tolist()
    cases.append({"option": "logprobs", "value": 0, "ids": ids, "logits": [None if x == float("-inf") else x for x in values],
                  "scores": [None if x == float("-inf") else x for x in log_softmax]})
print("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]")
