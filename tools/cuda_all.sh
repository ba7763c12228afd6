#!/bin/bash
# The measured rows on one quiet GPU in at most 250 s, the most valuable first: ten pages at the 9B's size in bf16 and fp8
# beside transformers, decoding, later questions, the tall picture, 32 streams, plans, a start from a checkpoint, memory, the
# ladder from fp32 up, and how cost grows.
#
#   tools/cuda_all.sh BIN_DIR LOG_DIR           BIN_DIR: what tools/cuda_bundle.sh copied, or a build's bin
#   PYTHON=... names the interpreter that has torch and transformers (default python3).
#   SECONDS_LEFT=250, SKIP="fp8 growth", CHECKPOINT=/dev/shm/glyph-9b, which is removed at the end
#
# LOGS gets a log for each step, ladder_*.json and .svg, yardstick.json, start.json and table.txt, the table that comes last. A step that fails
# or is stopped leaves the others alone; ends with 1 then.
deadline=${SECONDS_LEFT:-250}
checkpoint=${CHECKPOINT:-/dev/shm/glyph-9b}
STEP_LINES=12
source "$(dirname "$0")/cuda_steps.sh"
wrap run_glyph "$bin/glyph"
export XDG_CACHE_HOME=$logs/cache  # plans of other runs stay out of this one
trap 'rm -rf "$checkpoint" "$logs/cache" "$logs/state"' EXIT

install_font

# timed NAME SECONDS COMMAND...: a step that ends when all must end. LEFT is what the command may take.
timed() {
  local name=$1 limit=$2
  shift 2
  [ $((deadline - SECONDS)) -lt "$limit" ] && limit=$((deadline - SECONDS))
  if [ "$limit" -lt 8 ]; then
    table+=$(printf '%-24s %s' "$name" "no time left")$'\n'
    failed=1
    return
  fi
  step "$name" "$limit" "$@"
}
# ladder NAME SECONDS ROWS OPTIONS...: begins nothing in the last fifth of its time.
ladder() {
  local name=$1 limit=$2 rows=$3
  shift 3
  [ $((deadline - SECONDS)) -lt "$limit" ] && limit=$((deadline - SECONDS))
  timed "$name" "$limit" "$logs/run_glyph" bench ladder --random-weights 1 --device cuda --style styles/english.json --repeats 2 \
    --seconds $((limit > 10 ? limit * 4 / 5 : 8)) --rows "$rows" --json-file "$logs/ladder_$name.json" --svg "$logs/ladder_$name.svg" "$@"
}

query=name,driver_version,memory.used,power.limit,power.draw,temperature.gpu,clocks.sm,clocks.max.sm
nvidia-smi --query-gpu=$query --format=csv >"$logs/gpu.log" 2>&1
cat "$logs/gpu.log"
"$python" bench/ladder/write_checkpoint.py "$checkpoint" models/glyph-mini >"$logs/checkpoint.log" 2>&1 &
writer=$!

ladder bf16 50 bf16,later --uncompiled --picture 2048x8192 --streams 32 --documents 8
timed library_best 25 "$python" bench/ladder/library_best.py "$logs/library_best.json"
timed yardstick 50 "$python" bench/ladder/transformers_yardstick.py "$logs/yardstick.json" --picture 584x146 --answer-tokens 32
ladder fp8 40 fp8,fp8-later
ladder int4 15 int4
wait $writer
for precision in bf16 fp8; do
  timed start_$precision 20 "$python" bench/ladder/start_to_ready.py "$logs/start_$precision.json" "$logs/state" 7951 2 \
    "$logs/run_glyph" serve -m "$checkpoint" --device cuda --precision $precision --cache-disk-mib 0
done
rm -rf "$checkpoint"
ladder compiled 45 compiled,first,draft
ladder fp32 35 fp32
ladder growth 60 bf16 --grow 1,10,50,150 --pages 1
timed doctor 10 sh -c "'$logs/run_glyph' doctor --random-weights 1 --device cuda --precision bf16 || true"  # it may miss a font

nvidia-smi --query-gpu=$query,clocks_event_reasons.active --format=csv >>"$logs/gpu.log" 2>&1
{
  cat "$logs/gpu.log"
  echo
  "$python" bench/ladder/compare.py "$logs"/ladder_{fp32,bf16,compiled,fp8,int4,growth}.json --yardstick "$logs/yardstick.json" --starts "$logs"/start_*.json
  echo
  printf '%s' "$table"
} 2>&1 | tee "$logs/table.txt"
exit $failed
