#!/bin/bash
# The page pipeline on a GPU in at most 180 s: ten A4 pages at 72 dpi of the 9B's size, vision and prefill in bf16 page by page
# and together, recorded or not, attention by our kernels or cuDNN, a plan made and loaded, which kernels take the time, and transformers in the same run.
#
#   tools/cuda_pipeline.sh BIN_DIR LOG_DIR      BIN_DIR: pipeline_bench and, if they are there, glyph and vision_cuda_test
#   PYTHON=... names the interpreter that has torch and transformers (default python3).
#
# tools/cuda_bundle.sh makes BIN_DIR. Each step has a limit and a log; tables come last. Ends with 1
# when a step failed.
source "$(dirname "$0")/cuda_steps.sh"

nvidia-smi --query-gpu=name,driver_version,memory.used,power.limit,clocks.sm,clocks.max.sm --format=csv >"$logs/gpu.log" 2>&1
install_font
model=$logs/model
step config 20 "$python" tools/model_oracle/time_transformers.py "$model" --config-only >/dev/null
if [ -x "$bin/vision_cuda_test" ]; then
  wrap run_vision_cuda_test "$bin/vision_cuda_test"
  step vision_cuda_test 20 "$logs/run_vision_cuda_test" --gtest_brief=1 >/dev/null
fi
wrap run_pipeline_bench "$bin/pipeline_bench"
step pipeline 40 "$logs/run_pipeline_bench" "$model" device=cuda precision=bf16 pages=10 >/dev/null
if [ -x "$bin/glyph" ]; then
  wrap run_glyph "$bin/glyph"
  step compile 60 "$logs/run_glyph" compile --random-weights 1 --device cuda -o "$logs/plan" >/dev/null
fi
if [ -e "$bin/pipeline_timeline.so" ]; then
  for precision in bf16 fp8; do
    step timeline_$precision 40 "$python" tools/cuda_timeline.py "$bin" "$logs/timeline_$precision" "$model" device=cuda precision=$precision pages=10 \
      together=10 attention=measured chunks=2048,8192 repeat=1 >/dev/null
  done
fi
step transformers 60 "$python" tools/model_oracle/time_transformers.py "$model" --pages 10 >/dev/null
echo
cat "$logs/gpu.log"
for name in vision_cuda_test pipeline compile timeline_bf16 timeline_fp8 transformers; do
  [ -s "$logs/$name.log" ] && printf '\n== %s\n' "$name" && grep -Ev 'Warning|warn\(|^Loading' "$logs/$name.log" | tail -n 160
done
[ -s "$logs/plan" ] && printf '\n== plan\n' && cat "$logs/plan"
echo
printf '%s' "$table" | tee "$logs/table.txt"
exit $failed
