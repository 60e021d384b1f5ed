# How the scripts talk to people. Sourced.
# shellcheck shell=bash

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }

fail() { # EXIT_STATUS MESSAGE
    say "error: $2"
    exit "$1"
}
