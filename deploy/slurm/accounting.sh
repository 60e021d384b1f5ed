# Slurm's accounting: slurmdbd, and MariaDB in which it keeps its books. Without it there is no sacct, and
# each command with --clusters fails. Sourced by slurm.sh.
# shellcheck shell=bash

# A socket in the folder instead of a port: no password, and nobody else on the machine gets at it.
start_mariadb() {
    local options=(--no-defaults --datadir="$DIR/mariadb")
    if [ ! -e "$DIR/mariadb/complete" ]; then
        rm -rf "$DIR/mariadb"
        mariadb-install-db "${options[@]}" --auth-root-authentication-method=normal --skip-test-db \
            --user="$(id -un)" >"$DIR/log/mariadb-install.log" 2>&1 ||
            fail_showing "$DIR/log/mariadb-install.log" "no database could be made"
        touch "$DIR/mariadb/complete"
    fi
    launch mariadb mariadbd "${options[@]}" --user="$(id -un)" --skip-networking \
        --socket="$DIR/mariadb/socket" --pid-file="$DIR/mariadb.pid" \
        --innodb-flush-log-at-trx-commit=0
    await mariadb mariadb-admin --no-defaults --user=root --socket="$DIR/mariadb/socket" ping
}

write_slurmdbd_conf() {
    [ ! -e "$DIR/slurmdbd.conf" ] || return 0
    (umask 077 && cat >"$DIR/slurmdbd.conf") <<CONF
DbdHost=$(hostname -s)
DbdAddr=127.0.0.1
DbdPort=$(free_port)
CommunicationParameters=NoInAddrAny
SlurmUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$DIR/munge.socket
PidFile=$DIR/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct
CONF
}

slurmdbd_port() { sed -n 's/^DbdPort=//p' "$DIR/slurmdbd.conf"; }

slurmdbd_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$(slurmdbd_port)"); }

# It looks for its configuration beside SLURM_CONF, and for MariaDB's socket in the environment.
start_slurmdbd() {
    write_slurmdbd_conf
    launch slurmdbd env SLURM_CONF="$DIR/slurm.conf" MYSQL_UNIX_PORT="$DIR/mariadb/socket" slurmdbd -D
    await slurmdbd slurmdbd_answers
}

start_accounting() {
    running mariadb || start_mariadb
    running slurmdbd || start_slurmdbd
}
