#!/bin/bash
# What a GPU must show, in less than four minutes: ops against the reference, tiny models and the 9B's size against
# transformers stage by stage, memory errors, first times.
#
#   tools/cuda_check.sh BIN_DIR LOG_DIR        BIN_DIR: ops_cuda_test, model_stages, ops_bench (a build's bin, or tools/cuda_bundle.sh's)
#   PYTHON=... names the interpreter that has torch and transformers (default python3).
#
# Each step has a limit of its own and a log; the table comes last. Ends with 1 when a step failed.
source "$(dirname "$0")/cuda_steps.sh"
wrap run_ops_test "$bin/ops_cuda_test"
wrap run_model_stages "$bin/model_stages"
wrap run_ops_bench "$bin/ops_bench"

nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm --format=csv >"$logs/gpu.log" 2>&1
cat "$logs/gpu.log"
step ops 60 "$logs/run_ops_test" --require-gpu --gtest_brief=1
if [ $failed = 1 ]; then  # the rest may still hold without the newest kernels
  export GLYPH_HOPPER_KERNELS=off
  step ops_no_hopper 60 "$logs/run_ops_test" --require-gpu --gtest_brief=1
fi
step tiny_f32 50 "$python" tools/model_oracle/compare.py "$logs/run_model_stages" --device cuda --models 5 --limit 2e-3
step tiny_bf16 50 "$python" tools/model_oracle/compare.py "$logs/run_model_stages" --device cuda --models 5 --precision bf16 --limit 1.5
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
# sites LOG: what a sanitizer reported, a line for each kernel or copy, with how often. All of it is in the log.
sites() {
  sed -nE 's/^=+ +(at 0x[0-9a-f]+ in |at )(.*)/\2/; t kernel; s/^=+ +(Uninitialized access) at 0x[0-9a-f]+/\1/p; b
    :kernel s/\+0x.*//; p' "$1" | cut -c 1-200 | sort | uniq -c | sort -rn | head -n 20
}
for tool in memcheck racecheck initcheck; do
  if [ -n "$sanitizer" ]; then
    # It reports on stdout, which compare.py drops.
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s --error-exitcode 9 --print-limit 1000 --tool %s %s "$@" >&2\n' "${GLYPH_LIBS:-}" \
      "$sanitizer" $tool "$bin/model_stages" >"$logs/run_$tool"
    chmod +x "$logs/run_$tool"
    step $tool 60 "$python" tools/model_oracle/compare.py "$logs/run_$tool" --device cuda --models 1 --precision bf16
    [ -e "$logs/$tool.log" ] && sites "$logs/$tool.log" | tee "$logs/$tool.sites"
  else
    table+=$(printf '%-24s no compute-sanitizer' $tool)$'\n'
  fi
done
step full_size 150 "$python" tools/model_oracle/full_size.py "$logs/run_model_stages" "$logs/full_size"
[ -x "$bin/ops_bench" ] && step ops_bench 30 "$logs/run_ops_bench"
echo
cat "$logs/gpu.log"
[ -s "$logs/full_size.log" ] && grep -v Warning "$logs/full_size.log" | tail -n 8
echo
printf '%s' "$table" | tee "$logs/table.txt"
exit $failed
