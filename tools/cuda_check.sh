#!/bin/bash
# What a GPU must show, in less than four minutes: ops against the reference, tiny models and the 9B's size against
# transformers stage by stage, memory errors, first times.
#
#   tools/cuda_check.sh BIN_DIR LOG_DIR        BIN_DIR: ops_cuda_test, model_stages, ops_bench (a build's bin, or tools/cuda_bundle.sh's)
#   PYTHON=... names the interpreter that has torch and transformers (default python3).
#
# Each step has a limit of its own and a log; the table comes last. Ends with 1 when a step failed.
set -uo pipefail
bin=$(cd "$1" && pwd)
mkdir -p "$2"
logs=$(cd "$2" && pwd)
cd "$(dirname "$0")/.." || exit 1
python=${PYTHON:-python3}
[ -d "$bin/lib" ] && export GLYPH_LIBS=$bin/lib
table=""
failed=0

# cublasLt comes with the toolkit, or with a Python package.
if ! ldconfig -p | grep -q libcublasLt.so.13; then
  for folder in /usr/local/cuda/lib64 $("$python" -c 'import nvidia, glob, os
print(*{os.path.dirname(f) for p in nvidia.__path__ for f in glob.glob(p + "/**/libcublasLt.so.13", recursive=True)})' 2>/dev/null); do
    if [ -e "$folder/libcublasLt.so.13" ]; then GLYPH_LIBS=${GLYPH_LIBS:+$GLYPH_LIBS:}$folder; fi
  done
fi
# The libraries that travel with the programs are for them alone.
wrap() {
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "${GLYPH_LIBS:-}" "$2" >"$logs/$1"
  chmod +x "$logs/$1"
}
wrap run_ops_test "$bin/ops_cuda_test"
wrap run_model_stages "$bin/model_stages"
wrap run_ops_bench "$bin/ops_bench"

# step NAME SECONDS COMMAND...
step() {
  local name=$1 limit=$2 start=$SECONDS result
  shift 2
  echo "== $name: $*"
  timeout -k 5 "$limit" "$@" >"$logs/$name.log" 2>&1
  result=$?
  tail -n 40 "$logs/$name.log"
  case $result in
    0) result=ok ;;
    124 | 137) result="over $limit s"; failed=1 ;;
    *) result="failed ($result)"; failed=1 ;;
  esac
  table+=$(printf '%-24s %-14s %4d s' "$name" "$result" $((SECONDS - start)))$'\n'
}

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
if [ -n "$sanitizer" ]; then
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s --error-exitcode 9 --tool memcheck %s "$@"\n' "${GLYPH_LIBS:-}" "$sanitizer" \
    "$bin/model_stages" >"$logs/run_memcheck"
  chmod +x "$logs/run_memcheck"
  step memcheck 60 "$python" tools/model_oracle/compare.py "$logs/run_memcheck" --device cuda --models 1 --precision bf16
else
  table+="memcheck                 no compute-sanitizer"$'\n'
fi
step full_size 150 "$python" tools/model_oracle/full_size.py "$logs/run_model_stages" "$logs/full_size"
[ -x "$bin/ops_bench" ] && step ops_bench 30 "$logs/run_ops_bench"
echo
cat "$logs/gpu.log"
[ -s "$logs/full_size.log" ] && grep -v Warning "$logs/full_size.log" | tail -n 8
echo
printf '%s' "$table" | tee "$logs/table.txt"
exit $failed
