#!/usr/bin/env bash
# Packs the built programs and every library they need, loader and C library included, into one relocatable archive for
# machines where nothing can be installed: scripts/bundle.sh [BUILD_DIR] [OUT_DIR]   (default: build/release, dist)
#
# Unpack it anywhere and run bin/graticule. LibTorch is not inside: graticule-train uses an installed `torch` of the
# version it was built with (GRATICULE_TORCH, or the active Python environment). MPI is the site's own; src/mpi/ rebuilds
# the module for it with one command (src/mpi/README).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1:-build/release} out=${2:-dist}
limit_mib=60
name=graticule-$(git describe --always --dirty 2>/dev/null || echo unknown)-$(uname -m)
[[ -x $build/bin/graticule && -x $build/bundle/graticule_bundle_launcher ]] || {
  echo "bundle.sh: found no programs in $build; run scripts/build.sh first" >&2
  exit 2
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
top=$work/$name
mkdir -p "$top"/{bin,libexec,lib/glibc,src/mpi} "$out"

# The programs, and one launcher under the name of each. graticule-enrich stays out: GDAL, its libraries and its tables of
# projections would double the archive, and datasets are enriched once, where they are made.
programs=()
for program in graticule graticule-data graticule-train; do
  [[ -x $build/bin/$program ]] || continue
  programs+=("$program")
  strip -o "$top/libexec/$program" "$build/bin/$program"
  strip -o "$top/bin/$program" "$build/bundle/graticule_bundle_launcher"
done
for module in libgraticule_mpi.so libgraticule_cuda.so; do
  if [[ -f $build/bin/$module ]]; then strip -o "$top/bin/$module" "$build/bin/$module"; fi
done

# Libraries: all that the loader finds, less LibTorch and CUDA (the wheel's) and MPI (the site's). The C library keeps
# a folder of its own, so that GRATICULE_HOST_LIBC=1 can leave it out.
glibc='^(ld-linux-x86-64|libc|libm|libmvec|libpthread|libdl|librt|libresolv|libutil|libanl|libnss_[a-z]+)\.so'
foreign='^(libtorch|libc10|libcu(da|dart|pti|blas|dnn|fft|file|rand|solver|sparse)|libnv|libnccl|libgomp)'
for program in "${programs[@]}"; do ldd "$build/bin/$program"; done | awk '/=> \// {print $1, $3} $1 ~ /^\/.*ld-linux/ {print "loader", $1}' | sort -u |
  while read -r soname path; do
    if [[ $soname == loader ]]; then
      cp -L "$path" "$top/bin/ld-linux-x86-64.so.2"
    elif [[ $soname =~ $glibc ]]; then
      cp -L "$path" "$top/lib/glibc/$soname"
    elif [[ ! $soname =~ $foreign && $path != */.deps/* ]]; then
      strip -o "$top/lib/$soname" "$path" 2>/dev/null || cp -L "$path" "$top/lib/$soname"
    fi
  done
# What LibTorch and CUDA ask of the C library beyond our own programs, and name resolution, which is loaded late.
known=$(ldconfig -p)
for soname in libm.so.6 libmvec.so.1 libpthread.so.0 libdl.so.2 librt.so.1 libresolv.so.2 libutil.so.1 libnss_files.so.2 libnss_dns.so.2; do
  path=$(awk -v name="$soname" '$1 == name && /x86-64/ && !seen++ {print $NF}' <<<"$known")
  if [[ -n $path ]]; then cp -L "$path" "$top/lib/glibc/$soname"; fi
done

cp trainer/comm/mpi_module.cc trainer/comm/mpi_module.h trainer/comm/host_reduce.cc trainer/comm/host_reduce.h base/comm/communicator.h "$top/src/mpi/"
(cd "$top/src/mpi" && mkdir -p trainer/comm base/comm && mv mpi_module.* host_reduce.* trainer/comm/ && mv communicator.h base/comm/)
cat >"$top/src/mpi/README" <<'TEXT'
The MPI module for this site's MPI, rebuilt here with its compiler:
  mpicxx -O2 -std=c++20 -fPIC -shared -DOMPI_SKIP_MPICXX -DMPICH_SKIP_MPICXX -I. \
    trainer/comm/mpi_module.cc trainer/comm/host_reduce.cc -o ../../bin/libgraticule_mpi.so
If that MPI needs a newer C library than the bundle's, start the programs with GRATICULE_HOST_LIBC=1.
TEXT
[[ -d configs ]] && cp -r configs "$top/configs"
cp LICENSE README.md "$top/" 2>/dev/null || true

archive=$out/$name.tar.gz
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -czf "$archive" "$name"
bytes=$(stat -c %s "$archive")
echo "bundle: $archive, $((bytes / 1024 / 1024)) MiB, programs: ${programs[*]}"
if ((bytes > limit_mib * 1024 * 1024)); then
  echo "bundle.sh: the archive is larger than $limit_mib MiB" >&2
  exit 1
fi
