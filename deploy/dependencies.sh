# Whether what is built in may be: licences, sources, crates that are there twice, known flaws (deny.toml). Sourced by ./x
# after prepare.sh.
# shellcheck shell=bash

DENY=0.20.2
UNCHECKED=

# Takes some minutes the first time; what was built for it and is not needed any more is removed.
prepare_deny() {
    [ "$(cargo-deny --version 2>/dev/null)" = "cargo-deny $DENY" ] && return
    say "installing cargo-deny $DENY"
    CARGO_TARGET_DIR=$BUILD/target-deny cargo install --quiet --locked --force --root "$BUILD/deny" "cargo-deny@$DENY" || return
    rm -rf "$BUILD/target-deny"
    mkdir -p "$BUILD/tools"
    ln -sf "$BUILD/deny/bin/cargo-deny" "$BUILD/tools/cargo-deny"
}

# Not a test, but named at the end beside the tests that were skipped.
skip_check() { # CHECK WHY
    say "skipped $1: $2"
    echo "check of $1: $2" >>"$BUILD/skipped-tests"
}

check_dependencies() {
    if ! prepare_deny; then
        UNCHECKED="cargo-deny cannot be installed"
        skip_check "licences, sources and known flaws" "$UNCHECKED"
        return
    fi
    # One crate has HDF5's text and no word for it, which is then told from the text.
    cargo deny --locked check --allow no-license-field licenses bans sources
    check_advisories
}

# At the very end, so that the tests are run all the same.
nothing_is_unchecked() {
    [ "${CI:-}" != true ] || [ -z "$UNCHECKED" ] || fail 1 "nothing may be missing here: $UNCHECKED"
}

# The list of known flaws is on a public host that many machines do not reach, also those of continuous integration.
# One that was fetched before is of use for a while, which cargo-deny sees to.
check_advisories() {
    local log=$BUILD/advisories.log
    if cargo deny --locked fetch db 2>"$log" || has_advisories; then
        cargo deny --locked --offline check advisories
    else
        skip_check "known flaws" "the list of advisories cannot be fetched: $(tail -n 2 "$log" | tr '\n' ' ')"
    fi
}

has_advisories() { # of an earlier time
    compgen -G "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs/*/crates" >/dev/null
}
