# One cluster of one node: its slurm.conf, slurmctld and slurmd. Sourced by slurm.sh.
# shellcheck shell=bash

# The node claims more than the machine has, so that jobs do not wait for each other's processors.
# Without NoInAddrAny the daemons would listen on every address of the machine.
write_slurm_conf() { # CLUSTER PARTITIONS
    local host
    host=$(hostname -s)
    [ ! -e "$DIR/$1.conf" ] || return 0
    cat >"$DIR/$1.conf.new" <<CONF
ClusterName=$1
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$DIR/munge.socket
CredType=cred/munge
StateSaveLocation=$DIR/$1/state
SlurmdSpoolDir=$DIR/$1/spool
SlurmctldPidFile=$DIR/$1/slurmctld.pid
SlurmdPidFile=$DIR/$1/slurmd.pid
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePass=$DIR/munge.socket
MailProg=/bin/true
AccountingStoragePort=$(slurmdbd_port)
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=100
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=5
ReturnToService=2
KillWait=5
MinJobAge=300
MaxArraySize=20001
MaxJobCount=50000
CompleteWait=0
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=64 RealMemory=1000000 State=UNKNOWN
$(partitions "$2" "$host")
CONF
    mv "$DIR/$1.conf.new" "$DIR/$1.conf"
}

# The first one is the cluster's own choice.
partitions() { # NAME[,NAME...] NODE
    local name default=YES
    for name in ${1//,/ }; do
        echo "PartitionName=$name Nodes=$2 Default=$default MaxTime=INFINITE State=UP"
        default=NO
    done
}

start_cluster() { # CLUSTER PARTITIONS
    write_slurm_conf "$1" "$2"
    # This plugin asks for no mounted cgroups as long as nothing uses them.
    echo CgroupPlugin=cgroup/v1 >"$DIR/cgroup.conf"
    mkdir -p "$DIR/$1/state" "$DIR/$1/spool"
    running "slurmctld-$1" || launch "slurmctld-$1" env SLURM_CONF="$DIR/$1.conf" slurmctld -D
    # The mark finds the jobs that are left when everything is stopped.
    running "slurmd-$1" ||
        launch "slurmd-$1" env SLURM_CONF="$DIR/$1.conf" RUNLEDGER_SLURM="$DIR/$1" slurmd -D -N "$(hostname -s)"
}

# Ready for jobs, also for commands that name the cluster.
await_cluster() { # CLUSTER
    await "slurmctld-$1" node_states "$1"
    await "slurmd-$1" is_idle "$1"
}

node_states() { SLURM_CONF="$DIR/$1.conf" sinfo --noheader --clusters="$1" --format=%t; } # CLUSTER

# A controller that was killed drains its node when it meets a job that it has forgotten.
is_idle() { # CLUSTER
    local states
    states=$(node_states "$1")
    if grep -Eqx 'drain|drng' <<<"$states"; then
        SLURM_CONF="$DIR/$1.conf" scontrol update nodename="$(hostname -s)" state=resume
    fi
    grep -Eqx 'idle|mix|alloc' <<<"$states"
}

# Jobs outlive the slurmd which started them: each has a slurmstepd, which has the environment of its slurmd.
end_jobs() { # CLUSTER...
    local folder cluster
    for folder in /proc/[0-9]*; do
        [ "$(cat "$folder/comm" 2>/dev/null)" = slurmstepd ] || continue
        for cluster; do
            ! has_mark "$folder" "$DIR/$cluster" || end_job "${folder##*/}"
        done
    done
}

has_mark() { # PROC_FOLDER CLUSTER_FOLDER
    tr '\0' '\n' 2>/dev/null <"$1/environ" | grep -qxF "RUNLEDGER_SLURM=$2"
}

# The job's processes are a group of their own.
end_job() { # SLURMSTEPD
    local children child
    read -ra children 2>/dev/null <"/proc/$1/task/$1/children" || true
    for child in "${children[@]}"; do
        kill -KILL -- "-$child" 2>/dev/null || true
    done
    kill -KILL "$1" 2>/dev/null || true
}
