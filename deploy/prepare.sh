# What `./x` needs on a machine: finds it, installs what is missing and says so.
# Sourced by ./x, which sets ROOT. Sets BUILD, BINARY, CARGO_TARGET_DIR and PATH.
# shellcheck shell=bash disable=SC2034

DEMO_REQUIREMENTS=$ROOT/deploy/demo/requirements.txt
TEST_REQUIREMENTS=$ROOT/tests/python/requirements.txt
CMAKE_REQUIREMENTS=$ROOT/deploy/cmake-requirements.txt
CMAKE_NEEDED=3.26 # by the HDF5 that is built in

# shellcheck source=deploy/saying.sh
source "$ROOT/deploy/saying.sh"
# shellcheck source=deploy/build_folder.sh
source "$ROOT/deploy/build_folder.sh"

at_least() { # VERSION WANTED
    printf '%s\n' "$2" "$1" | sort --version-sort --check=quiet
}

have() { command -v "$1" >/dev/null 2>&1; }

# --- folders ---------------------------------------------------------------------------

# A home folder may be missing or read-only where tests run unattended.
set_folders() {
    export HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
    BUILD=$(build_folder)
    BINARY=$BUILD/bin/$(printf '%s' "$ROOT" | sha256sum | cut -c1-12)/runledger
    export CARGO_TARGET_DIR=$BUILD/target
    local cargo_home=${CARGO_HOME:-$HOME/.cargo}
    export PATH=$BUILD/tools:$PATH:$cargo_home/bin
    if ! writable "$cargo_home"; then
        export CARGO_HOME=$BUILD/cargo
        mkdir -p "$CARGO_HOME"
        cp "$cargo_home"/config.toml "$CARGO_HOME" 2>/dev/null || true
    fi
}

# Checkouts share the build folder, so they take turns. Only the shell holds the lock:
# a process that a test leaves behind does not.
with_lock() { # COMMAND...
    (
        flock --nonblock 9 || { say "waiting for another ./x that uses $BUILD"; flock 9; }
        cd "$ROOT" || exit
        "$@" 9>&-
    ) 9>"$BUILD/lock"
}

# --- Debian packages, Rust, CMake ------------------------------------------------------

# OpenSSL's configuration is a Perl program; Debian's smallest Perl lacks its modules.
missing_packages() {
    local python
    have cc || echo gcc libc6-dev
    have c++ || echo g++
    have make || echo make
    have pkg-config || echo pkg-config
    perl -MIPC::Cmd -MFindBin -MFile::Compare -e 1 2>/dev/null || echo perl
    if python=$(find_python 3.9); then
        "$python" -c 'import ensurepip, venv' 2>/dev/null || echo "$python-venv"
    else
        echo python3 python3-venv
    fi
}

install_packages() {
    local packages
    mapfile -t packages < <(missing_packages | tr ' ' '\n')
    [ ${#packages[@]} -gt 0 ] || return 0
    if ! have apt-get; then
        fail 1 "this machine lacks (Debian's names): ${packages[*]}; please install them"
    elif [ "$(id -u)" -ne 0 ]; then
        fail 1 "this machine lacks: ${packages[*]}; please run: sudo apt-get install ${packages[*]}"
    fi
    apt_install "${packages[@]}"
}

apt_install() { # PACKAGE...
    say "installing Debian packages: $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

check_rust() {
    local needed found
    have cargo || fail 1 "no cargo on PATH; please install a Rust toolchain"
    needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
    found=$(cargo --version | cut -d' ' -f2)
    at_least "$found" "$needed" || fail 1 "cargo is $found, but Rust $needed or newer is needed"
}

prepare_compilers() {
    check_rust
    install_packages
    if ! have cmake || ! at_least "$(cmake --version | awk 'NR == 1 { print $3 }')" "$CMAKE_NEEDED"; then
        prepare_python "$CMAKE_REQUIREMENTS"
        mkdir -p "$BUILD/tools"
        ln -sf "$(environment "$CMAKE_REQUIREMENTS")/bin/cmake" "$BUILD/tools/cmake"
    fi
}

prepare_linters() {
    local component
    for component in fmt:rustfmt clippy:clippy; do
        cargo "${component%:*}" --version >/dev/null 2>&1 && continue
        have rustup || fail 1 "this Rust toolchain lacks ${component#*:}; please install it"
        say "installing ${component#*:}"
        rustup component add "${component#*:}"
    done
}

# --- Python ----------------------------------------------------------------------------

# The first Python that is new enough, the machine's own before others.
find_python() { # WANTED_VERSION
    local python found
    for python in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
        found=$("$python" -c 'import platform; print(platform.python_version())' 2>/dev/null) || continue
        if at_least "$found" "$1"; then
            echo "$python"
            return
        fi
    done
    return 1
}

# The Python that a requirements file asks for in a line `# python >= 3.10`.
python_for() { # REQUIREMENTS
    local wanted
    wanted=$(sed -n 's/^# python >= //p' "$1")
    find_python "${wanted:=3.9}" || fail 1 "no Python $wanted or newer found on PATH"
}

# Where the virtual environment for a requirements file is: another one as soon as the
# file or the Python changes, so that nothing is exchanged under a running program.
environment() { # REQUIREMENTS
    local python hash
    python=$(python_for "$1")
    hash=$({ "$python" -c 'import sys; print(sys.version, sys.base_prefix)'; cat "$1"; } | sha256sum)
    echo "$BUILD/python/${hash:0:12}"
}

prepare_python() { # REQUIREMENTS
    local folder python
    folder=$(environment "$1")
    [ ! -e "$folder/complete" ] || return 0
    python=$(python_for "$1")
    say "installing Python packages of ${1#"$ROOT/"} into $folder"
    rm -rf "$folder"
    "$python" -m venv "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$1"
    touch "$folder/complete"
}

set_folders
