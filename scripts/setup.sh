#!/usr/bin/env bash
# Installs what graticule needs to build: Debian packages, and LibTorch from PyPI wheels into .deps/.
#
#   scripts/setup.sh [--test] [--dev] [--slurm] [--oracles] [--peers] [--cuda]
#
#   --test     GoogleTest and Google Benchmark
#   --dev      clang, its fuzzing runtime, clang-tidy, clang-format
#   --slurm    SLURM and munge, for the tests of job scripts (on a machine that is no cluster node)
#   --oracles  the Python reference implementations that parity tests and benchmarks compare with (about 5 GB)
#   --peers    further data loaders that bench/data_path.py compares with (about 950 MB); FFCV among them where it builds
#   --cuda     nvcc, NCCL, cuDNN and nvJPEG from wheels, where no CUDA toolkit is installed
#
# Idempotent, and silent when nothing is missing. Without root it names the packages to ask an administrator for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/versions.env
source scripts/versions.env
deps=${GRATICULE_DEPS_DIR:-$PWD/.deps}

packages=$DEBIAN_BUILD
oracles=no peers=no cuda=no
for option in "$@"; do
  case $option in
    --test) packages+=" $DEBIAN_TEST" ;;
    --dev) packages+=" $DEBIAN_DEV" ;;
    --slurm) packages+=" $DEBIAN_SLURM" ;;
    --oracles) oracles=yes ;;
    --peers) peers=yes ;;
    --cuda) cuda=yes ;;
    -h|--help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "setup.sh: unknown option $option (known: --test --dev --slurm --oracles --peers --cuda)" >&2; exit 2 ;;
  esac
done

# Of the peers FFCV alone needs packages: no reason to stop where nobody may install them.
if [[ $peers == yes ]] && { ((EUID == 0)) || sudo -n true 2>/dev/null; }; then packages+=" $DEBIAN_PEERS"; fi

say() { printf 'setup: %s\n' "$*" >&2; }

# Debian packages -----------------------------------------------------------------------------------------
missing=()
if command -v dpkg-query >/dev/null; then
  for package in $packages; do
    [[ $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) == *" installed" ]] || missing+=("$package")
  done
else
  say "this is not Debian or Ubuntu: make sure the equivalents of these are installed: $packages"
fi
if ((${#missing[@]})); then
  if ((EUID == 0)); then root=(); elif sudo -n true 2>/dev/null; then root=(sudo); else
    say "these packages are missing and installing them needs root:"
    say "  ask an administrator to run:  apt-get install ${missing[*]}"
    exit 2
  fi
  say "installing ${#missing[@]} Debian packages"
  "${root[@]}" apt-get -qq update
  DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
fi

# Wheels --------------------------------------------------------------------------------------------------
# A folder of wheels is complete when its stamp holds the pins it was installed from.
has() { [[ -f $1/.pins && $(<"$1/.pins") == "$2" ]]; }
mkdir -p "$deps"

pip_bootstrap() {
  # A folder that was moved keeps scripts that no longer start.
  "$deps/pip/bin/pip" --version >/dev/null 2>&1 || { rm -rf "$deps/pip"; python3 -m venv "$deps/pip"; }
}
install_flat() {  # folder, pins: unpacks wheels without their dependencies
  has "$1" "$2" && return
  pip_bootstrap
  say "unpacking into ${1#"$PWD"/}: $2"
  rm -rf "$1.new"
  # shellcheck disable=SC2086
  "$deps/pip/bin/pip" install -q --disable-pip-version-check --no-deps --no-compile --only-binary=:all: --target "$1.new" $2 || return
  printf %s "$2" >"$1.new/.pins"
  rm -rf "$1"
  mv "$1.new" "$1"
}

install_flat "$deps/torch" "$TORCH_WHEELS"
if [[ $peers == yes ]]; then
  install_flat "$deps/peers" "$PEER_WHEELS"
  # Linked with the two OpenCV libraries that it calls, not with all that pkg-config names.
  LDFLAGS=-Wl,--as-needed install_flat "$deps/ffcv" "$FFCV_WHEELS" || say "FFCV does not build here: bench/data_path.py goes without it"
fi
if [[ $cuda == yes ]]; then
  if [[ -x ${CUDA_HOME:-/usr/local/cuda}/bin/nvcc ]] || command -v nvcc >/dev/null; then
    # The toolkit compiles; NCCL must be the one torch pins, and nvJPEG is not in every toolkit: both come from their wheels.
    install_flat "$deps/cuda" "$(tr -s ' \n' '\n' <<<"$CUDA_WHEELS" | grep -E '^nvidia-(nccl|nvjpeg)')"
  else
    install_flat "$deps/cuda" "$CUDA_WHEELS"
  fi
fi
if [[ $oracles == yes ]] && ! has "$deps/oracles" "$ORACLE_WHEELS"; then
  say "installing the reference implementations (about 5 GB, a few minutes; after a change of pins only what changed)"
  # A folder that was moved keeps scripts that no longer start.
  "$deps/oracles/bin/pip" --version >/dev/null 2>&1 || { rm -rf "$deps/oracles"; python3 -m venv "$deps/oracles"; }
  rm -f "$deps/oracles/.pins"
  # shellcheck disable=SC2086
  "$deps/oracles/bin/pip" install -q --disable-pip-version-check --only-binary=:all: $ORACLE_WHEELS
  printf %s "$ORACLE_WHEELS" >"$deps/oracles/.pins"
fi
