#!/bin/bash
# The server at the 9B's size with random weights on one GPU, in at most 150 s: first tokens of a document of ten pages, cold, after the
# upload and again; an answer beside a document of twenty pages; eight questions at once. The table comes last.
#
#   tools/cuda_serve.sh BIN_DIR LOG_DIR         BIN_DIR: what tools/cuda_bundle.sh copied, or a build's bin
#   PYTHON=... names the interpreter (default python3), PORT=... where the server listens (7951), PRECISION=... bf16 or another.
#
# LOGS gets a log for each step and the server's. Ends with 1 when a step failed.
source "$(dirname "$0")/cuda_steps.sh"
wrap run_glyph "$bin/glyph"
install_font

base=http://127.0.0.1:${PORT:-7951}
"$logs/run_glyph" serve --random-weights 1 --device cuda --precision "${PRECISION:-bf16}" --port "${PORT:-7951}" --state "$logs/state" >"$logs/server.log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; wait $server' EXIT

ready() {
  for _ in $(seq 300); do
    "$python" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=2)' "$base/ready" 2>/dev/null && return 0
    kill -0 $server 2>/dev/null || return 1
    sleep 0.2
  done
  return 1
}
step ready 60 bash -c "$(declare -f ready); server=$server base=$base python=$python; ready || { tail -n 5 '$logs/server.log'; false; }"
step time_to_first_token 40 "$python" bench/serve/time_to_first_token.py "$base" 10
step running_answer 40 "$python" bench/serve/running_answer.py "$base" --rounds 2 --seconds 1
step eight_at_once 30 "$python" bench/serve/eight_at_once.py "$base"
step metrics 5 "$python" -c 'import sys, urllib.request; print(*[line for line in urllib.request.urlopen(sys.argv[1]).read().decode().splitlines() if line.startswith(("vllm:", "glyph_engine", "glyph_cache"))], sep="\n")' "$base/metrics"
echo
grep -E 'warning|error' "$logs/server.log" | tail -n 10
printf '%s' "$table" | tee "$logs/table.txt"
exit $failed
