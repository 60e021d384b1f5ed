# The real components that tests run against: Slurm with its accounting, Kafka, and DAMNIT's window. What cannot be had is named, and the
# tests that need it say so at the end. Sourced by ./x after prepare.sh.
# shellcheck shell=bash

have_daemon() { PATH=$PATH:/usr/sbin:/sbin have "$1"; }

missing_parts() {
    have_daemon slurmctld && have_daemon slurmd && have sbatch || echo slurm-wlm
    have_daemon slurmdbd || echo slurmdbd
    have_daemon munged || echo munge
    have_daemon mariadbd && have mariadb-install-db || echo mariadb-server
    have java || echo openjdk-17-jre-headless
    have mvn || echo maven
    have systemd-analyze || echo systemd
    have shellcheck || echo shellcheck
    have strace || echo strace
    missing_libraries
}

# What the Python packages of DAMNIT's window (Qt) expect of the machine.
missing_libraries() {
    local library package known
    known=$(PATH=$PATH:/usr/sbin:/sbin ldconfig -p)
    while read -r library package; do
        case $known in *"$library "*) ;; *) echo "$package" ;; esac
    done <<'LIBRARIES'
libEGL.so.1 libegl1
libGL.so.1 libgl1
libasound.so.2 libasound2
libdbus-1.so.3 libdbus-1-3
libfontconfig.so.1 libfontconfig1
libglib-2.0.so.0 libglib2.0-0
libgssapi_krb5.so.2 libgssapi-krb5-2
libnss3.so libnss3
libXcomposite.so.1 libxcomposite1
libXdamage.so.1 libxdamage1
libXrandr.so.2 libxrandr2
libXtst.so.6 libxtst6
libxkbcommon.so.0 libxkbcommon0
libxkbfile.so.1 libxkbfile1
LIBRARIES
}

# Debian starts a service when its package is installed, unless this program forbids it; and with each boot, unless it
# is disabled. Tests want neither.
install_without_starting() { # PACKAGE...
    local policy=/usr/sbin/policy-rc.d own=
    if [ ! -e "$policy" ]; then
        own=yes
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    apt_install "$@" || say "not all of it could be installed"
    [ -z "$own" ] || rm -f "$policy"
    ! have systemctl || disable_services "$@" 2>/dev/null || true
}

disable_services() { # PACKAGE...
    local package
    for package; do
        case $package in
            slurm-wlm) systemctl --quiet disable slurmctld slurmd ;;
            slurmdbd | munge) systemctl --quiet disable "$package" ;;
            mariadb-server) systemctl --quiet disable mariadb ;;
        esac
    done
}

prepare_parts() {
    local packages
    mapfile -t packages < <(missing_parts)
    if [ ${#packages[@]} -gt 0 ]; then
        if have apt-get && [ "$(id -u)" -eq 0 ]; then
            install_without_starting "${packages[@]}"
        else
            say "for all tests this machine lacks (Debian's names): ${packages[*]}"
        fi
    fi
    ! have mvn || "$ROOT/deploy/kafka/kafka.sh" fetch || say "without Kafka's jars, its tests cannot run"
}
