#!/bin/bash
# Copies the programs that tools/cuda_check.sh and tools/cuda_ladder.sh need, stripped, with the libraries and the font that
# another machine may lack. What was not built is left out.
#
#   tools/cuda_bundle.sh BUILD_DIR OUT_DIR
set -euo pipefail
mkdir -p "$2/lib" "$2/fonts"
for program in ops_cuda_test model_stages ops_bench types_bench attention_bench glyph pipeline_bench vision_cuda_test parallel_cuda_test parallel_bench pipeline_timeline.so; do
  [ -e "$1/bin/$program" ] || continue
  strip -o "$2/$program" "$1/bin/$program"
  ldd "$1/bin/$program" | awk '$3 ~ /^\// {print $3}' | grep -Ev '/(libc|libm|libdl|libpthread|librt|libstdc\+\+|libgcc_s|libcublasLt|libcuda)\.so' |
    while read -r library; do cp -L "$library" "$2/lib/"; done
done
strip --strip-unneeded "$2"/lib/*.so*
cp /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf "$2/fonts/"
du -sh "$2"
