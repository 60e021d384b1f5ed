# Programs in the background that outlive the shell which starts them: starts them, remembers them in a folder,
# and stops them and nothing else. Sourced by the scripts that start real parts on one machine; they set DIR.
# shellcheck shell=bash

# Where Debian has daemons, which is not on everybody's PATH.
export PATH=$PATH:/usr/sbin:/sbin

need() { # DEBIAN_PACKAGE PROGRAM...
    local package=$1 program
    shift
    for program; do
        command -v "$program" >/dev/null ||
            fail 1 "there is no $program; please install it (Debian's package $package)"
    done
}

# --- the folder ------------------------------------------------------------------------

# Paths of sockets end at 107 bytes, and those in the folder need room.
enter() { # DIR
    mkdir -p "$1"
    DIR=$(realpath "$1")
    [ ${#DIR} -le 80 ] || fail 1 "the name $DIR is too long for the sockets in it; please use a shorter one"
    mkdir -p "$DIR/processes" "$DIR/log"
}

# Whoever starts or stops something in the folder takes turns. What is started does not keep the lock.
with_folder() { # COMMAND...
    (
        flock 9
        "$@"
    ) 9>"$DIR/lock"
}

# Ports that nothing listens on. The kernel gives those above to outgoing connections, which
# could take the port of a server that is to be started again.
free_port() {
    local port last chosen=${TMPDIR:-/tmp}/runledger-ports-$UID
    read -r last _ </proc/sys/net/ipv4/ip_local_port_range
    mkdir -p "$chosen"
    [ -w "$chosen" ] || fail 1 "$chosen cannot be written"
    find "$chosen" -mindepth 1 -type d -empty -mmin +10 -delete
    while port=$(shuf --input-range="10000-$((last - 1))" --head-count=1); do
        # Until it listens, whoever chooses at the same time could come upon it, too.
        mkdir "$chosen/$port" 2>/dev/null || continue
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# --- processes -------------------------------------------------------------------------

# When a process was started, in the kernel's ticks; nothing if it has ended. Its number is used again, so
# that only both together name it.
started_at() { # PID
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    # Blanks in the program's name, which stands in brackets, would shift the columns.
    read -ra stat <<<"${stat##*) }"
    [ "${stat[0]}" = Z ] || echo "${stat[19]}"
}

pid_of() { # NAME
    local pid since
    read -r pid since 2>/dev/null <"$DIR/processes/$1" || return 1
    [ "$(started_at "$pid")" = "$since" ] && echo "$pid"
}

running() { pid_of "$1" >/dev/null; } # NAME

# It writes itself down before it becomes the program: what runs is known, whatever happens to us.
launch() { # NAME COMMAND...
    local name=$1 pid
    shift
    rm -f "$DIR/processes/$name"
    (
        pid=$BASHPID
        echo "$pid $(started_at "$pid")" >"$DIR/processes/.$name"
        mv "$DIR/processes/.$name" "$DIR/processes/$name"
        exec setsid "$@"
    ) >>"$DIR/log/$name.log" 2>&1 </dev/null 9>&- &
    disown
    until [ -e "$DIR/processes/$name" ]; do sleep 0.01; done
}

# The folder may be gone before somebody reads the log.
fail_showing() { # LOG MESSAGE
    tail -n 20 "$1" >&2
    fail 1 "$2; the rest is in $1"
}

# Waits until a program that was started answers.
await() { # NAME COMMAND...
    local name=$1 until=$((SECONDS + 60))
    shift
    until "$@" >/dev/null 2>&1; do
        running "$name" || fail_showing "$DIR/log/$name.log" "$name did not start"
        [ $SECONDS -lt $until ] || fail_showing "$DIR/log/$name.log" "$name does not answer"
        sleep 0.05
    done
}

# All of them are asked to end at once, and those that have not ended within a time are killed.
stop_processes() { # SECONDS NAME...
    local seconds=$1 name
    shift
    for name; do signal TERM "$name"; done
    local until=$((SECONDS + seconds))
    for name; do
        while running "$name" && [ $SECONDS -lt $until ]; do sleep 0.02; done
        if running "$name"; then
            say "$name does not end within $seconds s and is killed"
            signal KILL "$name"
        fi
        while running "$name"; do sleep 0.02; done
        rm -f "$DIR/processes/$name"
    done
}

# As a crash would end it.
kill_process() { # NAME
    running "$1" || fail 1 "${1:-a process without a name} does not run in $DIR"
    signal KILL "$1"
    while running "$1"; do sleep 0.02; done
}

signal() { # SIGNAL NAME
    local pid
    pid=$(pid_of "$2") || return 0
    kill -"$1" "$pid" 2>/dev/null || true
}

# --- as long as somebody wants it ------------------------------------------------------

# For tests: starts in a new folder, says so on stdout, and stops and removes the folder when stdin is closed (also
# because whoever held its other end was killed) or it is asked to end.
run_while_wanted() { # DIR STARTING_COMMAND...
    local dir=$1
    shift
    [ ! -e "$dir" ] || rmdir "$dir" || fail 1 "run wants a new folder, because it removes it at the end"
    enter "$dir"
    trap 'with_folder stop_all; rm -rf "$DIR"' EXIT
    trap 'exit 0' TERM INT HUP
    with_folder "$@"
    # From here on nobody may be there any more to read what is said.
    trap '' PIPE
    echo ready || true
    exec >"$DIR/log/run.log" 2>&1
    while read -r _; do :; done
}
