#!/usr/bin/env bash
# record_bench.sh NAME ARGUMENTS...: runs `glyph bench ARGUMENTS --json` of the release build and keeps what it printed, with the
# commit and the command, in bench/results/NAME.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/setup.sh
name=${1:?usage: tools/record_bench.sh NAME ARGUMENTS...}
shift
build release glyph glyph-extract
commit=$(git rev-parse --short HEAD)
if [[ -n $(git status --porcelain --untracked-files=no) ]]; then commit+="-modified"; fi
result=$(build/release/bin/glyph bench "$@" --json)
printf '%s' "$result" | python3 -c '
import json, sys
result = json.load(sys.stdin)
result.update(commit=sys.argv[1], command="glyph bench " + " ".join(sys.argv[2:]) + " --json")
print(json.dumps(result, indent=1))' "$commit" "$@" >"bench/results/$name.json"
say "wrote bench/results/$name.json"
