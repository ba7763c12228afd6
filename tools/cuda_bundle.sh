#!/bin/bash
# Copies the programs that tools/cuda_check.sh needs, stripped, with the libraries that another machine may lack.
#
#   tools/cuda_bundle.sh BUILD_DIR OUT_DIR
set -euo pipefail
mkdir -p "$2/lib"
for program in ops_cuda_test model_stages ops_bench; do
  strip -o "$2/$program" "$1/bin/$program"
  ldd "$1/bin/$program" | awk '$3 ~ /^\// {print $3}' | grep -Ev '/(libc|libm|libdl|libpthread|librt|libstdc\+\+|libgcc_s|libcublasLt|libcuda)\.so' |
    while read -r library; do cp -L "$library" "$2/lib/"; done
done
strip --strip-unneeded "$2"/lib/*.so*
du -sh "$2"
