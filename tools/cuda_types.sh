#!/bin/bash
# What a GPU must show of the types of weights and arithmetic, in two minutes: the ops in fp16 and with quantised weights
# against the reference, the 9B's size in each type against transformers in fp32, speed of the matrix products.
#
#   tools/cuda_types.sh BIN_DIR LOG_DIR        BIN_DIR: ops_cuda_test, types_bench, model_stages (tools/cuda_bundle.sh makes it)
#   PYTHON=... names the interpreter that has torch and transformers (default python3).
#   SKIP="full_size products" leaves steps out.
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
for program in ops_cuda_test types_bench model_stages; do
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "${GLYPH_LIBS:-}" "$bin/$program" >"$logs/run_$program"
  chmod +x "$logs/run_$program"
done

# step NAME SECONDS COMMAND...
step() {
  local name=$1 limit=$2 start=$SECONDS result
  shift 2
  case " ${SKIP:-} " in *" $name "*) return ;; esac
  echo "== $name: $*"
  timeout -k 5 "$limit" "$@" >"$logs/$name.log" 2>&1
  result=$?
  tail -n 60 "$logs/$name.log"
  case $result in
    0) result=ok ;;
    124 | 137) result="over $limit s"; failed=1 ;;
    *) result="failed ($result)"; failed=1 ;;
  esac
  table+=$(printf '%-24s %-14s %4d s' "$name" "$result" $((SECONDS - start)))$'\n'
}

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
