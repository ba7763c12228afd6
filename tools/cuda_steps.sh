# Sourced by the scripts that run on a machine with a GPU, with their arguments BIN_DIR LOG_DIR. After it: bin and logs are these folders,
# python is the interpreter, the current folder is the repository; each program of ours runs through a wrapper with the libraries that travel
# with it, and `step` runs one thing under a limit of its own.
set -uo pipefail
bin=$(cd "$1" && pwd)
mkdir -p "$2"
logs=$(cd "$2" && pwd)
cd "$(dirname "$0")/.." || exit 1
python=${PYTHON:-python3}
[ -d "$bin/lib" ] && export GLYPH_LIBS=$bin/lib
table=""
failed=0

# cublasLt, cuDNN and NCCL come with the toolkit, or with Python packages.
library_folders() {
  "$python" -c 'import glob, os, sys
import nvidia
print(*{os.path.dirname(f) for p in nvidia.__path__ for f in glob.glob(p + "/**/" + sys.argv[1], recursive=True)})' "$1" 2>/dev/null
}
for library in libcublasLt.so.13 libcudnn.so.9 libnccl.so.2; do
  ldconfig -p | grep -q $library && continue
  for folder in /usr/local/cuda/lib64 $(library_folders $library); do
    if [ -e "$folder/$library" ]; then GLYPH_LIBS=${GLYPH_LIBS:+$GLYPH_LIBS:}$folder; fi
  done
done

# wrap NAME PROGRAM: LOGS/NAME runs it. The libraries are for our programs alone.
wrap() {
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "${GLYPH_LIBS:-}" "$2" >"$logs/$1"
  chmod +x "$logs/$1"
}

# step NAME SECONDS COMMAND...: LOGS/NAME.log has what it printed, $table how it went. A name in $SKIP is left out.
step() {
  local name=$1 limit=$2 start=$SECONDS result
  shift 2
  case " ${SKIP:-} " in *" $name "*) return ;; esac
  echo "== $name: $*"
  timeout -k 5 "$limit" "$@" >"$logs/$name.log" 2>&1
  result=$?
  tail -n "${STEP_LINES:-40}" "$logs/$name.log"
  case $result in
    0) result=ok ;;
    124 | 137) result="over $limit s"; failed=1 ;;
    *) result="failed ($result)"; failed=1 ;;
  esac
  table+=$(printf '%-24s %-14s %4d s' "$name" "$result" $((SECONDS - start)))$'\n'
}

# install_font: puts the font of the page styles, which travels with BIN_DIR, where programs look for it.
font=/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
install_font() { [ -e $font ] || { mkdir -p "$(dirname $font)" && cp "$bin/fonts/DejaVuSans.ttf" $font; }; }
