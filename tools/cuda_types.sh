#!/bin/bash
# What a GPU must show of the types of weights and arithmetic, in two minutes: the ops in fp16 and with quantised weights
# against the reference, the 9B's size in each type against transformers in fp32, speed of the matrix products.
#
#   tools/cuda_types.sh BIN_DIR LOG_DIR        BIN_DIR: ops_cuda_test, types_bench, model_stages (tools/cuda_bundle.sh makes it)
#   PYTHON=... names the interpreter that has torch and transformers (default python3).
#   SKIP="full_size products" leaves steps out.
#
# Each step has a limit of its own and a log; the table comes last. Ends with 1 when a step failed.
STEP_LINES=60
source "$(dirname "$0")/cuda_steps.sh"
for program in ops_cuda_test types_bench model_stages; do wrap "run_$program" "$bin/$program"; done

nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm --format=csv >"$logs/gpu.log" 2>&1
step products 25 "$logs/run_types_bench"
# The reference of the ops takes its time on the processor, while transformers makes its model.
timeout -k 5 90 "$logs/run_ops_cuda_test" --require-gpu --gtest_brief=1 >"$logs/ops.log" 2>&1 &
ops=$!
step full_size 95 "$python" tools/model_oracle/full_size.py "$logs/run_model_stages" "$logs/full_size" \
  --precisions bf16,fp16,fp8,int8,int4 --timed fp8,int4 --skip-their-time
wait $ops
result=$?
[ $result = 0 ] || failed=1
tail -n 40 "$logs/ops.log"
table+=$(printf '%-24s %s' ops "$([ $result = 0 ] && echo ok || echo "failed ($result)")")$'\n'
echo
cat "$logs/gpu.log"
[ -s "$logs/products.log" ] && cat "$logs/products.log"
[ -s "$logs/full_size.log" ] && grep -v Warning "$logs/full_size.log" | tail -n 14
echo
printf '%s' "$table" | tee "$logs/table.txt"
exit $failed
