#!/bin/bash
# glyph-mini on a GPU: the questions of training/eval in fp32, bf16 and fp8, in at most a minute each.
#
#   tools/cuda_mini.sh BIN_DIR LOG_DIR MODEL_DIR     BIN_DIR: what tools/cuda_bundle.sh copied, or a build's bin
#   COUNTS=needle1=60,... SEED=2 choose the questions (training/eval/README.md)
#
# LOGS gets truth.jsonl and answers_PRECISION.jsonl, for training/eval/score.py. Ends with 1 when a step failed.
source "$(dirname "$0")/cuda_steps.sh"
model=$(cd "$3" && pwd)
wrap run_glyph "$bin/glyph"
install_font
export XDG_CACHE_HOME=$logs/cache  # plans of other runs stay out of this one
trap 'rm -rf "$logs/cache"' EXIT
step make_pages 90 "$python" training/eval/make_pages.py --out "$logs/eval" --seed "${SEED:-2}" \
  --counts "${COUNTS:-transcribe=24,needle1=60,needle4=48,needle10=40,facts=240,absent=120,absent_needle=12,quote_sentence=16,quote_line=16}"
cp "$logs/eval/truth.jsonl" "$logs/"
for precision in fp32 fp8 bf16; do
  step batch_$precision 70 "$logs/run_glyph" batch -m "$model" --device cuda --precision $precision "$logs/eval/input.jsonl" -o "$logs/answers_$precision.jsonl"
done
printf '%s' "$table" | tee "$logs/table.txt"
exit $failed
