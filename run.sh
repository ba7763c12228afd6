#!/usr/bin/env bash
# Installs what is missing (Debian 12), builds glyph, and runs it: ./run.sh serves on 127.0.0.1:7860 with models/glyph-mini,
# ./run.sh ask FILE QUESTION passes through. stdout is glyph's alone.
set -euo pipefail
caller=$PWD
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$root"
source tools/setup.sh

install_missing "${build_packages[@]}"
build release glyph glyph-extract

cd "$caller"
if (($# == 0)); then set -- serve; fi
exec "$root/build/release/bin/glyph" "$@"
