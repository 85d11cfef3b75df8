# Sourced by ./looped and ./test: finds Swift, and installs the Debian packages it needs where they are missing.

# How everything is built. Tests reach into modules, which a release build allows only on request; the command is built the
# same way, so that neither makes the other build again.
build_flags=(-c release -Xswiftc -enable-testing)

setup_swift() {
  if ! command -v swift >/dev/null 2>&1; then
    for place in /opt/swift/usr/bin "$HOME/.local/share/swiftly/bin" /usr/local/swift/usr/bin; do
      if [ -x "$place/swift" ]; then PATH="$place:$PATH"; fi
    done
  fi
  if ! command -v swift >/dev/null 2>&1; then
    echo "error: Swift 6 was not found. Install it from swift.org/install, or put its bin folder on PATH." >&2
    exit 1
  fi
  if ! command -v git >/dev/null 2>&1; then need_packages git; fi
  # Compressed graph files; macOS has zlib in its SDK.
  if [ "$(uname)" = Linux ] && [ ! -e /usr/include/zlib.h ]; then need_packages zlib1g-dev; fi
  # oneDNN: matrix products. On macOS Accelerate takes its place.
  if [ "$(uname)" = Linux ] && [ ! -e /usr/include/oneapi/dnnl/dnnl.h ]; then need_packages libdnnl-dev; fi
  # Training on several machines, for those alone who ask for it.
  if [ "${LOOPED_MPI:-}" = 1 ]; then setup_mpi; fi
}

setup_mpi() {
  if command -v mpirun >/dev/null 2>&1 && command -v mpicc >/dev/null 2>&1; then return; fi
  need_packages libopenmpi-dev openmpi-bin
}

# need_packages NAME ...: installs Debian packages, or says what to type where it may not.
need_packages() {
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "error: please install: $*" >&2
    exit 1
  fi
  local sudo=
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
      sudo=sudo
    else
      echo "error: missing packages. Please run: sudo apt-get install $*" >&2
      exit 1
    fi
  fi
  echo "installing: $*" >&2
  $sudo apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "$@" >/dev/null
}
