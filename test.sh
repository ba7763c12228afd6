#!/usr/bin/env bash
# Sets up and runs every test that needs no GPU: ./test.sh [--ci] [--fuzz] [--only dev|asan|fuzz|cuda]
#   --ci    fuzz each target for 60 s, and no colours
#   --fuzz  fuzz each target for 60 s (a few seconds otherwise)
#   --only  one of the parts; cuda compiles the CUDA backend (and runs nothing of it) where nvcc is installed
# The last line counts: "N passed, N failed". Ends non-zero when anything failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
source tools/setup.sh

fuzz_seconds=4
parts=(dev asan cuda fuzz)
while (($# > 0)); do
  case $1 in
    --ci | --fuzz) fuzz_seconds=60 ;;
    --only) parts=("${2:?--only needs dev, asan, cuda or fuzz}"); shift ;;
    *) die "usage: ./test.sh [--ci] [--fuzz] [--only dev|asan|fuzz|cuda]" ;;
  esac
  shift
done

passed=0
failed=0

# run_ctest DIR [ARGS...]: runs the tests of a build and adds to the counts.
run_ctest() {
  local dir=$1 report=$PWD/$1/report.xml
  shift
  rm -f "$report"
  ctest --test-dir "$dir" --output-on-failure --output-junit "$report" -j "$(nproc)" "$@" | sed -u '/^Internal/d;/^Test project/d;/Start  *[0-9]*:/d;/Passed/d;/^$/d' || true
  local total bad skipped
  total=$(grep -o -m 1 'tests="[0-9]*"' "$report" | tr -dc 0-9 || true)
  bad=$(grep -o -m 1 'failures="[0-9]*"' "$report" | tr -dc 0-9 || true)
  skipped=$(grep -o -m 1 'skipped="[0-9]*"' "$report" | tr -dc 0-9 || true)
  if [[ -z $total || $total == 0 ]]; then
    say "$dir: no test ran"
    failed=$((failed + 1))
    return
  fi
  passed=$((passed + total - bad - skipped))
  failed=$((failed + bad))
  if ((skipped > 0)); then say "$dir: $skipped tests skipped"; fi
}

# build_or_count PRESET [TARGET...]: a build that fails is one failed test.
build_or_count() {
  build "$@" || { failed=$((failed + 1)); return 1; }
}

test_dev() {
  build_or_count dev || return 0
  run_ctest build/dev
}

# Address and undefined-behaviour sanitizers over the rooms that read foreign bytes.
test_asan() {
  build_or_count asan || return 0
  ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 run_ctest build/asan
}

# Nothing here has a GPU: that the CUDA code compiles and links is what can be shown. One architecture, to save time.
test_cuda() {
  if ! command -v nvcc >/dev/null && [[ ! -x /usr/local/cuda/bin/nvcc ]]; then
    say "no nvcc: the CUDA backend is not compiled"
    return
  fi
  configure_options=(-DCMAKE_CUDA_ARCHITECTURES=90a-real)
  build_or_count cuda ops_cuda_test model_stages glyph || return 0
  passed=$((passed + 1))
}

# fuzz_one NAME: fuzzes one target from the seeds in tests/fuzz/NAME with the words in tests/fuzz/NAME.dict, where they exist.
# The corpus it finds stays under build/ for the next run.
fuzz_one() {
  local name=$1 corpus=build/fuzz/corpus/$1
  local options=(-max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix=build/fuzz/"$name"-)
  local folders=("$corpus")
  mkdir -p "$corpus"
  if [[ -f tests/fuzz/$name.dict ]]; then options+=(-dict=tests/fuzz/"$name".dict); fi
  if [[ -d tests/fuzz/$name ]]; then folders+=("tests/fuzz/$name"); fi
  build/fuzz/bin/"$name" "${options[@]}" "${folders[@]}" >build/fuzz/"$name".log 2>&1
}

test_fuzz() {
  build_or_count fuzz || return 0
  local name running=() names=()
  mapfile -t names < <(grep . build/fuzz/fuzz_targets.txt)
  for ((i = 0; i < ${#names[@]}; i += $(nproc))); do
    running=()
    for name in "${names[@]:i:$(nproc)}"; do
      fuzz_one "$name" &
      running+=("$!:$name")
    done
    for entry in "${running[@]}"; do
      name=${entry#*:}
      if wait "${entry%%:*}"; then
        passed=$((passed + 1))
      else
        failed=$((failed + 1))
        tail -n 30 "build/fuzz/$name.log"
        say "$name failed after $(grep -c . "build/fuzz/$name.log") lines; see build/fuzz/$name.log"
      fi
    done
  done
}

install_missing "${test_packages[@]}"
make_test_python
make_promtool
for part in "${parts[@]}"; do
  say "== $part"
  declare -F "test_$part" >/dev/null || die "no such part: $part (dev, asan, cuda or fuzz)"
  "test_$part"
done
echo "$passed passed, $failed failed"
((failed == 0))
