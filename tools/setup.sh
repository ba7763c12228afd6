# Sourced by run.sh and test.sh: the Debian packages they need, and how missing ones get installed.

# To build and run glyph.
build_packages=(
  build-essential cmake ninja-build pkg-config
  libboost-json1.81-dev libcli11-dev libexpat1-dev libfmt-dev libfreetype-dev libicu-dev libjpeg-dev libpcre2-dev
  libpng-dev libpoppler-cpp-dev libseccomp-dev libsqlite3-dev libssl-dev libwebp-dev libzip-dev zlib1g-dev
  fonts-dejavu-core fonts-noto-cjk poppler-data
)
# To build and run the tests as well.
test_packages=(
  "${build_packages[@]}" clang-14 libclang-rt-14-dev libgmock-dev libgtest-dev python3
  chromium chromium-driver python3-selenium                # the page
  fish mandoc systemd zsh                                  # completions, manual, service unit
  curl file jq python3-venv                                # the examples of docs/
)

say() { echo "glyph: $*" >&2; }
die() { say "$*"; exit 1; }

# install_missing PACKAGE...: runs apt-get only when a package is not installed.
install_missing() {
  command -v dpkg-query >/dev/null || { say "not a Debian system: expecting cmake, ninja, a C++20 compiler and the libraries to be there"; return; }
  local installed missing=() package
  installed=" $(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | awk '$2 == "installed" { printf "%s ", $1 }' || true)"
  for package in "$@"; do
    [[ $installed == *" $package "* ]] || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then return; fi

  local as_root=()
  if [[ $EUID -ne 0 ]]; then
    command -v sudo >/dev/null || die "missing packages and neither root nor sudo to install them; run as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${#missing[@]} missing Debian packages; this takes some minutes: ${missing[*]}"
  if [[ -t 2 ]]; then  # somebody watches
    apt_install -q >&2 || die "apt-get could not install: ${missing[*]}"
    return
  fi
  local log
  log=$(mktemp)
  if ! apt_install -qq >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt-get could not install: ${missing[*]}"
  fi
  rm -f "$log"
}

# apt_install OPTION: what install_missing found missing, as whom it says.
apt_install() {
  "${as_root[@]}" apt-get update "$1" &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y "$1" --no-install-recommends "${missing[@]}"
}

# make_test_python: build/python, a Python with the packages of tests/requirements.txt.
make_test_python() {
  mkdir -p build
  (
    flock 9
    cmp -s tests/requirements.txt build/python/requirements.txt && return
    say "installing $(grep -vc '^#' tests/requirements.txt) Python packages for the tests"
    rm -rf build/python
    python3 -m venv build/python
    build/python/bin/pip install -q --disable-pip-version-check -r tests/requirements.txt >build/python/install.log 2>&1 ||
      { tail -n 5 build/python/install.log >&2; die "pip could not install tests/requirements.txt"; }
    cp tests/requirements.txt build/python/requirements.txt
  ) 9>build/.lock
}

# make_promtool: build/promtool, which checks /metrics. It is taken out of Debian's package, since installing that would start a service.
make_promtool() {
  [[ ! -x build/promtool ]] && command -v apt-get >/dev/null || return 0
  local scratch
  scratch=$(mktemp -d)
  chmod 755 "$scratch"
  (
    cd "$scratch"
    apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }
    dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
  ) >"$scratch/log" 2>&1 && mv "$scratch/usr/bin/promtool" build/ || say "no promtool: its check of the metrics is left out"
  rm -rf "$scratch"
}

# For the next configuration, after the preset's.
configure_options=()

# build PRESET [TARGET...]: configures once, then builds; prints nothing when all is up to date, and never on stdout.
# Two scripts started at once build one after the other.
build() {
  mkdir -p build
  (
    flock 9
    build_locked "$@"
  ) 9>build/.lock
}

build_locked() {
  local preset=$1 dir=build/$1
  shift
  local log=$dir/build.log
  mkdir -p "$dir"
  if [[ ! -f $dir/build.ninja ]]; then
    local launcher=()
    if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
    if ! cmake --preset "$preset" "${launcher[@]}" "${configure_options[@]}" >"$log" 2>&1; then
      tail -n 30 "$log" >&2
      rm -f "$dir/CMakeCache.txt"
      die "the $preset build could not be configured; see $log"
    fi
    say "building ($preset); the first time takes a few minutes"
  elif [[ $(ninja -C "$dir" -n "$@" 2>/dev/null | tail -n 1) == *"no work to do"* ]]; then
    return
  fi
  if [[ -t 2 ]]; then
    ninja -C "$dir" "$@" 9>&- >&2 || die "the $preset build failed"
  elif ! ninja -C "$dir" "$@" 9>&- >"$log" 2>&1; then
    grep -E -m 20 'FAILED|error' "$log" >&2 || tail -n 30 "$log" >&2
    die "the $preset build failed; see $log"
  fi
}
