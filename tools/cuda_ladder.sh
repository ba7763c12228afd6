#!/bin/bash
# The ladder at the 9B's size with random weights, and transformers on the same GPU: less than four minutes, the table last.
#
#   tools/cuda_ladder.sh BIN_DIR LOG_DIR        BIN_DIR: what tools/cuda_bundle.sh copied, or a build's bin
#   PYTHON=... names the interpreter that has torch and transformers (default python3).
#   ROWS=fp32,bf16,... measures these, all that run for ROWS=all.
#
# LOGS gets ladder.json, ladder.svg, yardstick.json and a log for each step. Ends with 1 when a step failed.
source "$(dirname "$0")/cuda_steps.sh"
wrap run_glyph "$bin/glyph"
install_font

nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm --format=csv >"$logs/gpu.log" 2>&1
cat "$logs/gpu.log"
step doctor 30 sh -c "'$logs/run_glyph' doctor --random-weights 1 --device cuda --precision bf16 || true"  # it may miss a font
step ladder 165 "$logs/run_glyph" bench ladder --random-weights 1 --device cuda --repeats 2 --seconds 130 --style styles/english.json --rows "${ROWS:-fp32,bf16,compiled,first,later,draft,fp8,fp8-later,fp8-draft,int4}" \
  --picture 2048x8192 --grow 1,10,50,150 --streams 32 --documents 8 --json-file "$logs/ladder.json" --svg "$logs/ladder.svg"
step yardstick 65 "$python" bench/ladder/transformers_yardstick.py "$logs/yardstick.json" --picture 584x146 --grow 1,10,50
nvidia-smi --query-gpu=power.draw,temperature.gpu,clocks.sm,clocks_event_reasons.active --format=csv >>"$logs/gpu.log" 2>&1
echo
cat "$logs/gpu.log"
"$python" bench/ladder/compare.py "$logs/ladder.json" --yardstick "$logs/yardstick.json" 2>&1 | tee "$logs/compare.txt"
echo
printf '%s' "$table" | tee "$logs/table.txt"
exit $failed
