#!/usr/bin/env bash
# A real Slurm on one machine, in a folder of its own, for tests and for trying things out.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/saying.sh
source "$HERE/../saying.sh"
# shellcheck source=deploy/processes.sh
source "$HERE/../processes.sh"
# shellcheck source=deploy/slurm/accounting.sh
source "$HERE/accounting.sh"
# shellcheck source=deploy/slurm/cluster.sh
source "$HERE/cluster.sh"

# As on Maxwell: the users' cluster, and the one for DAMNIT's shared jobs.
CLUSTERS=("maxwell:all,exfel,upex" "solaris:solcpu")

usage() {
    cat <<'HELP'
usage: slurm.sh start DIR [CLUSTER:PARTITION[,PARTITION...]...]
       slurm.sh stop DIR
       slurm.sh status DIR
       slurm.sh kill DIR DAEMON
       slurm.sh check
       slurm.sh run DIR [CLUSTER:PARTITION[,PARTITION...]...]

Starts MUNGE, MariaDB, slurmdbd and for each cluster slurmctld and slurmd, as the user who
calls it, with all files in DIR, listening on free ports of 127.0.0.1 only. Without systemd, without
cgroups, for one machine: nothing for serious work. `start` again starts what has ended meanwhile. `run`
takes a new folder, and stops it all and removes the folder as soon as its standard input is closed. `kill`
ends one as a crash would: slurmctld-maxwell, slurmd-solaris, slurmdbd, mariadb, munged. `check` says what
is not installed. Then:

  . DIR/env                     sets SLURM_CONF (the first cluster's) and PATH
  sbatch --clusters maxwell …   and sinfo, squeue, sacct, scancel as usual

Clusters, unless named: maxwell (partitions all, exfel, upex) and solaris (solcpu).
HELP
}

check_programs() {
    need munge munged
    need slurm-wlm slurmctld slurmd sbatch
    need slurmdbd slurmdbd
    need mariadb-server mariadbd mariadb-install-db
}

munge_answers() { munge --no-input --socket "$DIR/munge.socket"; }

# Its checks want a folder that everybody can reach; this one is for its owner.
start_munge() {
    if [ ! -e "$DIR/munge.key" ]; then
        (umask 077 && head -c 128 /dev/urandom >"$DIR/munge.key")
    fi
    launch munged munged --force --foreground --key-file="$DIR/munge.key" \
        --socket="$DIR/munge.socket" --pid-file="$DIR/munge.pid" --log-file="$DIR/log/munge.log" \
        --seed-file="$DIR/munge.seed" --num-threads=10
    await munged munge_answers
}

# The folder's clusters are those of its first start.
remember_clusters() { # CLUSTER:PARTITIONS...
    [ -e "$DIR/clusters" ] || printf '%s\n' "${@:-${CLUSTERS[@]}}" >"$DIR/clusters"
    mapfile -t CLUSTERS <"$DIR/clusters"
}

write_env() {
    cat >"$DIR/env" <<ENV
# Source this to use the Slurm in this folder.
export SLURM_CONF='$DIR/${CLUSTERS[0]%%:*}.conf'
# Last: where sbatch is, there may be another python than yours.
export PATH="\$PATH:$(dirname "$(command -v sbatch)")"
unset SLURM_CLUSTERS
ENV
}

start_all() { # CLUSTER:PARTITIONS...
    local cluster
    check_programs
    remember_clusters "$@"
    running munged || start_munge
    start_accounting
    for cluster in "${CLUSTERS[@]}"; do
        start_cluster "${cluster%%:*}" "${cluster#*:}"
    done
    for cluster in "${CLUSTERS[@]}"; do
        await_cluster "${cluster%%:*}"
    done
    write_env
}

stop_all() {
    local names
    [ ! -e "$DIR/clusters" ] || mapfile -t CLUSTERS <"$DIR/clusters"
    names=("${CLUSTERS[@]%%:*}")
    stop_processes 10 "${names[@]/#/slurmctld-}" "${names[@]/#/slurmd-}"
    end_jobs "${names[@]}"
    stop_processes 15 slurmdbd mariadb
    stop_processes 5 munged
}

status() {
    local record
    for record in "$DIR"/processes/*; do
        [ -e "$record" ] || fail 3 "nothing runs in $DIR"
        record=${record##*/}
        echo "$record $(pid_of "$record" || echo has ended)"
    done
}

command=${1:-help}
case $command in
    start | stop | run | status | kill) [ $# -ge 2 ] || { usage >&2; fail 2 "$command needs a folder"; } ;;
esac
case $command in
    start)
        enter "$2"
        with_folder start_all "${@:3}"
        say "runs in $DIR; to use it: . $DIR/env"
        ;;
    stop)
        [ -d "$2" ] || fail 1 "there is no folder $2"
        enter "$2"
        with_folder stop_all
        ;;
    status)
        enter "$2"
        status
        ;;
    kill)
        enter "$2"
        with_folder kill_process "${3:-}"
        ;;
    check) check_programs ;;
    run) run_while_wanted "$2" start_all "${@:3}" ;;
    help | --help | -h) usage ;;
    *) usage >&2; fail 2 "there is no command $command" ;;
esac
