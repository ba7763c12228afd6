#!/bin/bash
# The page pipeline on a GPU in at most 100 s: ten A4 pages at 72 dpi of the 9B's size, vision and prefill in bf16 page by page
# and together, recorded or not, attention by our kernels or cuDNN, a plan made and loaded, and transformers in the same run.
#
#   tools/cuda_pipeline.sh BIN_DIR LOG_DIR      BIN_DIR: pipeline_bench and, if they are there, glyph and vision_cuda_test
#   PYTHON=... names the interpreter that has torch and transformers (default python3).
#
# tools/cuda_bundle.sh makes BIN_DIR. Each step has a limit and a log; tables come last. Ends with 1
# when a step failed.
set -uo pipefail
bin=$(cd "$1" && pwd)
mkdir -p "$2"
logs=$(cd "$2" && pwd)
cd "$(dirname "$0")/.." || exit 1
python=${PYTHON:-python3}
[ -d "$bin/lib" ] && GLYPH_LIBS=$bin/lib
# cublasLt comes with the toolkit, cuDNN with it or with a Python package.
for library in libcublasLt.so.13 libcudnn.so.9; do
  ldconfig -p | grep -q "$library" && continue
  for folder in /usr/local/cuda/lib64 $("$python" -c "import nvidia, glob, os
print(*{os.path.dirname(f) for p in nvidia.__path__ for f in glob.glob(p + '/**/$library', recursive=True)})" 2>/dev/null); do
    [ -e "$folder/$library" ] && GLYPH_LIBS=${GLYPH_LIBS:+$GLYPH_LIBS:}$folder
  done
done
# The libraries that travel with the programs are for them alone.
wrap() {
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "${GLYPH_LIBS:-}" "$bin/$1" >"$logs/run_$1"
  chmod +x "$logs/run_$1"
}
table=""
failed=0
# step NAME SECONDS COMMAND...
step() {
  local name=$1 limit=$2 start=$SECONDS result
  shift 2
  timeout -k 5 "$limit" "$@" >"$logs/$name.log" 2>&1
  result=$?
  case $result in
    0) result=ok ;;
    124 | 137) result="over $limit s"; failed=1 ;;
    *) result="failed ($result)"; failed=1 ;;
  esac
  table+=$(printf '%-24s %-14s %4d s' "$name" "$result" $((SECONDS - start)))$'\n'
}

nvidia-smi --query-gpu=name,driver_version,memory.used,power.limit,clocks.sm,clocks.max.sm --format=csv >"$logs/gpu.log" 2>&1
font=$bin/fonts/DejaVuSans.ttf
model=$logs/model
step config 20 "$python" tools/model_oracle/time_transformers.py "$model" --config-only
if [ -x "$bin/vision_cuda_test" ]; then
  wrap vision_cuda_test
  step vision_cuda_test 20 "$logs/run_vision_cuda_test" --gtest_brief=1
fi
wrap pipeline_bench
step pipeline 40 "$logs/run_pipeline_bench" "$model" device=cuda precision=bf16 pages=10 $([ -e "$font" ] && echo "font=$font")
if [ -x "$bin/glyph" ]; then
  wrap glyph
  step compile 60 "$logs/run_glyph" compile --random-weights 1 --device cuda -o "$logs/plan"
fi
step transformers 60 "$python" tools/model_oracle/time_transformers.py "$model" --pages 10
echo
cat "$logs/gpu.log"
for name in vision_cuda_test pipeline compile transformers; do
  [ -s "$logs/$name.log" ] && printf '\n== %s\n' "$name" && grep -Ev 'Warning|warn\(|^Loading' "$logs/$name.log" | tail -n 80
done
[ -s "$logs/plan" ] && printf '\n== plan\n' && cat "$logs/plan"
echo
printf '%s' "$table" | tee "$logs/table.txt"
exit $failed
