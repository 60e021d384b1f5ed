# The fuzzer: one program with the targets of fuzz/, by the same compiler and of the same parts as the tests. Sourced by ./x.
# shellcheck shell=bash

# No input may take longer (seconds), or more memory (MiB).
FUZZER_TIME=60
FUZZER_MEMORY=3000

fuzz() { # [SECONDS] [TARGET...]
    local seconds=60 failed=0 target
    if [[ ${1:-} =~ ^[0-9]+$ ]]; then
        seconds=$1
        shift
    fi
    build_fuzzer
    [ $# -gt 0 ] || set -- "$ROOT"/fuzz/corpus/*
    for target in "$@"; do
        fuzz_target "${target##*/}" "$seconds" || failed=1
    done
    return $failed
}

# Our crates are compiled again, with a little optimisation; everything else is as the tests have it.
build_fuzzer() {
    prepare_compilers
    RUSTC_WORKSPACE_WRAPPER=$ROOT/fuzz/watched CARGO_PROFILE_DEV_OPT_LEVEL=1 \
        cargo build --locked --package runledger-fuzz --features libfuzzer --bin fuzzer
    FUZZER=$CARGO_TARGET_DIR/debug/fuzzer
}

fuzz_target() { # TARGET SECONDS
    local found=$BUILD/fuzz/found/$1 known=$BUILD/fuzz/corpus/$1 how=()
    # Who is ended in the middle leaves a folder there.
    local -x TMPDIR=$BUILD/fuzz/tmp
    rm -rf "$TMPDIR"
    mkdir -p "$found" "$known" "$TMPDIR"
    # What ends HDF5 itself does not end the search, nor that it asks for memory that there is not.
    ! reads_hdf5 "$1" ||
        how=(-fork=1 -ignore_crashes=1 -ignore_timeouts=1 -ignore_ooms=1 -malloc_limit_mb=1000000000)
    say "fuzzing $1 for $2 seconds"
    RUNLEDGER_FUZZ_TARGET=$1 "$FUZZER" -max_total_time="$2" -timeout=$FUZZER_TIME -rss_limit_mb=$FUZZER_MEMORY \
        "${how[@]}" -artifact_prefix="$found/" "$known" "$ROOT/fuzz/corpus/$1" >"$found.log" 2>&1 || true
    tail -n 1 "$found.log"
    judge "$1" "$found"
}

reads_hdf5() { # TARGET
    [[ $1 == *fragments || $1 == leftovers || $1 == run_files ]]
}

# What HDF5, which is C, does not survive costs the fragment only: its reader is a process of its own, with limits.
# Everything else is a finding.
judge() { # TARGET FOLDER
    local file survived=0 findings=0
    for file in "$2"/{crash,oom,timeout}-*; do
        [ -e "$file" ] || continue
        if reads_hdf5 "$1" && ! is_ours "$1" "$file"; then
            survived=$((survived + 1))
        else
            findings=$((findings + 1))
            say "a finding: $file (when it is mended, it goes to fuzz/corpus/$1/)"
        fi
    done
    [ $survived -eq 0 ] || say "$survived files in $2 crash HDF5, or keep it at work: they cost themselves only"
    [ $findings -eq 0 ]
}

# Whether it is Rust that gives up.
is_ours() { # TARGET FILE
    local said
    said=$(RUNLEDGER_FUZZ_TARGET=$1 timeout $FUZZER_TIME "$FUZZER" "$2" 2>&1) || true
    grep -q -e 'panicked at' -e 'memory allocation of' -e 'overflowed its stack' <<<"$said"
}
