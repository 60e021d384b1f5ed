# The folder for everything that is built or fetched: one for all checkouts. Sourced, with ROOT set.
# shellcheck shell=bash

writable() { mkdir -p "$1" 2>/dev/null && [ -w "$1" ]; }

build_folder() {
    local cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
    if [ -n "${RUNLEDGER_BUILD:-}" ]; then
        writable "$RUNLEDGER_BUILD" || fail 1 "cannot write to RUNLEDGER_BUILD=$RUNLEDGER_BUILD"
        realpath "$RUNLEDGER_BUILD"
    elif [ -n "$cache" ] && writable "$cache/runledger"; then
        realpath "$cache/runledger"
    else
        writable "$ROOT/build" || fail 1 "no writable build folder; set RUNLEDGER_BUILD to one"
        echo "$ROOT/build"
    fi
}
