#!/bin/bash
# The language model on two GPUs against one, in about 60 s, 150 s at most: what the GPUs exchange, the same answers of a tiny model, times of a
# sum over the GPUs, prefill and decode of the 9B's size.
#
#   tools/cuda_parallel.sh BIN_DIR LOG_DIR     BIN_DIR: parallel_cuda_test and parallel_bench, and glyph if it is there
#   PYTHON=... names the interpreter whose packages have libnccl.so.2 (default python3).
#
# tools/cuda_bundle.sh makes BIN_DIR. Each step has a limit and a log; tables come last. Ends with 1 when a step failed.
source "$(dirname "$0")/cuda_steps.sh"

nvidia-smi --query-gpu=index,name,driver_version,memory.used,power.limit,clocks.sm --format=csv >"$logs/gpu.log" 2>&1
nvidia-smi topo -m >>"$logs/gpu.log" 2>&1
wrap run_parallel_cuda_test "$bin/parallel_cuda_test"
wrap run_parallel_bench "$bin/parallel_bench"
step exchange 20 "$logs/run_parallel_cuda_test" --gtest_brief=1 >/dev/null
if [ $failed = 1 ]; then  # a kernel that is loaded late may wait for one that waits for another GPU
  export CUDA_MODULE_LOADING=EAGER
  step exchange_eager 30 "$logs/run_parallel_cuda_test" --gtest_brief=1 >/dev/null
fi
step parity 25 "$logs/run_parallel_bench" tests/model phases=parity >/dev/null
step sums 15 "$logs/run_parallel_bench" tests/model phases=sums >/dev/null
step speed 60 "$logs/run_parallel_bench" tests/model phases=speed precisions="${PRECISIONS:-bf16,fp8}" >/dev/null
echo
cat "$logs/gpu.log"
for name in exchange exchange_eager parity sums speed; do
  [ -s "$logs/$name.log" ] && printf '\n== %s\n' "$name" && tail -n 40 "$logs/$name.log"
done
echo
printf '%s' "$table" | tee "$logs/table.txt"
exit $failed
