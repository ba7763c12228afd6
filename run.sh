#!/usr/bin/env bash
# Installs what is missing (Debian 12), builds glyph, and runs it: ./run.sh ask FILE QUESTION. stdout is glyph's alone.
set -euo pipefail
caller=$PWD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$root"
source tools/setup.sh

install_missing "${build_packages[@]}"
build release glyph glyph-extract

cd "$caller"
if (($# > 0)); then
  exec "$root/build/release/bin/glyph" "$@"
fi
say "the server is not there yet; ask like this: ./run.sh ask FILE \"QUESTION\""
