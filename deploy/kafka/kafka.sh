#!/usr/bin/env bash
# A real Kafka of one node, in a folder of its own, for tests and for trying things out.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(realpath "$HERE/../..")
# shellcheck source=deploy/saying.sh
source "$ROOT/deploy/saying.sh"
# shellcheck source=deploy/build_folder.sh
source "$ROOT/deploy/build_folder.sh"
# shellcheck source=deploy/processes.sh
source "$ROOT/deploy/processes.sh"

usage() {
    cat <<'HELP'
usage: kafka.sh fetch
       kafka.sh start DIR [--at ADDRESS] [--set NAME=VALUE]... [TOPIC[:PARTITIONS]...]
       kafka.sh stop DIR
       kafka.sh topic DIR TOPIC[:PARTITIONS]...
       kafka.sh send DIR TOPIC
       kafka.sh show DIR TOPIC
       kafka.sh run DIR [--at ADDRESS] [--set NAME=VALUE]... [TOPIC[:PARTITIONS]...]
       kafka.sh kill DIR
       kafka.sh check

Starts a broker of Apache Kafka (KRaft mode) with all files in DIR, listening on free ports of 127.0.0.1
only; its address is in DIR/address. At DIR/guarded-address it asks for a password (SASL, PLAIN): the user is
`runledger`, the password in DIR/password. `start` again takes the same ports. `fetch` gets its jars once, with
Maven, into the build folder; `start` does so if need be. `topic` makes topics, also others than at the start;
topics that are used before they are made have one partition. In a new folder, `--at` lets it listen on another
address than 127.0.0.1, and `--set` sets a property of the broker.

  echo '{"proposal": 1234, …}' | kafka.sh send DIR TOPIC      sends each line as a message
  kafka.sh show DIR TOPIC                                     prints all messages, until Ctrl-C

For tests: `run` takes a new folder, and stops the broker and removes the folder as soon as its standard
input is closed; `kill` ends the broker as a crash would; `check` says what is not installed.
HELP
}

# --- the jars --------------------------------------------------------------------------

jars() { echo "$(build_folder)/kafka/$(sha256sum "$HERE/pom.xml" | cut -c1-12)"; }

# Another folder as soon as the list changes; complete, or not there.
fetch() {
    local folder new
    folder=$(jars)
    [ ! -e "$folder" ] || return 0
    need maven mvn
    say "fetching the jars of Apache Kafka into $folder"
    new=$folder.new.$$
    mvn --quiet --batch-mode -Dstyle.color=never --file "$HERE/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime "-DoutputDirectory=$new" ||
        fail 1 "Maven could not fetch the jars of Apache Kafka"
    mv --no-target-directory "$new" "$folder" 2>/dev/null || rm -rf "$new"
}

check() {
    need openjdk-17-jre-headless java
    [ -e "$(jars)" ] || need maven mvn
}

# Starting fast is worth more here than running fast.
java_command() { # CLASS ARGUMENTS...
    JAVA=(java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
        "-Dlog4j.configuration=file:$HERE/log4j.properties" -cp "$(jars)/*" "$@")
}

java_now() { # CLASS ARGUMENTS...
    java_command "$@"
    "${JAVA[@]}"
}

# --- the broker ------------------------------------------------------------------------

# Small buffers and few files. A broker that was killed is let in again after a short time. Groups do not wait
# for more members, and may ask for short session timeouts.
write_properties() { # ADDRESS PORT CONTROLLER_PORT GUARDED_PORT PASSWORD [NAME=VALUE]...
    (umask 077 && cat >"$DIR/server.properties") <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$3
listeners=CLIENTS://$1:$2,CONTROLLER://127.0.0.1:$3,GUARDED://$1:$4
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT
listener.name.guarded.sasl.enabled.mechanisms=PLAIN
listener.name.guarded.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_runledger="$5";
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
log.dirs=$DIR/data
log.cleaner.dedupe.buffer.size=2097152
metadata.max.idle.interval.ms=10000
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
PROPERTIES
    # Of a property that is there twice the last one holds.
    [ $# -eq 5 ] || printf '%s\n' "${@:6}" >>"$DIR/server.properties"
}

format() { # ADDRESS [NAME=VALUE]...
    local port guarded password id
    port=$(free_port)
    guarded=$(free_port)
    password=$(head -c 32 /dev/urandom | sha256sum | cut -c1-64)
    (umask 077 && echo "$password" >"$DIR/password")
    id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =)
    # One that begins like an option would be taken for one.
    id=${id/#-/A}
    write_properties "$1" "$port" "$(free_port)" "$guarded" "$password" "${@:2}"
    java_now kafka.tools.StorageTool format --ignore-formatted -t "$id" -c "$DIR/server.properties" \
        >"$DIR/log/format.log" 2>&1 || fail_showing "$DIR/log/format.log" "the broker's folder cannot be made"
    echo "$1:$guarded" >"$DIR/guarded-address"
    echo "$1:$port" >"$DIR/address"
}

address() { cat "$DIR/address" 2>/dev/null || fail 1 "no broker was started in $DIR"; }

answers() {
    local at
    at=$(address)
    (exec 3<>"/dev/tcp/${at%:*}/${at#*:}")
}

start_all() { # [--at ADDRESS] [--set NAME=VALUE]... [TOPIC[:PARTITIONS]...]
    local at=127.0.0.1 properties=()
    while [[ ${1-} = --* ]]; do
        [ $# -ge 2 ] || fail 2 "$1 needs a value"
        case $1 in
            --at) at=$2 ;;
            --set) properties+=("$2") ;;
            *) fail 2 "there is no option $1" ;;
        esac
        shift 2
    done
    check
    fetch
    [ -e "$DIR/address" ] || format "$at" "${properties[@]}"
    if ! running kafka; then
        java_command kafka.Kafka "$DIR/server.properties"
        launch kafka "${JAVA[@]}"
    fi
    await kafka answers
    make_topics "$@"
}

stop_all() { stop_processes 20 kafka; }

# --- topics ----------------------------------------------------------------------------

make_topics() { # TOPIC[:PARTITIONS]...
    local topic partitions
    for topic; do
        partitions=${topic#"${topic%%:*}"}
        partitions=${partitions#:}
        java_now org.apache.kafka.tools.TopicCommand --bootstrap-server "$(address)" --create --if-not-exists \
            --topic "${topic%%:*}" --partitions "${partitions:-1}" >>"$DIR/log/topics.log" 2>&1 ||
            fail_showing "$DIR/log/topics.log" "the topic ${topic%%:*} cannot be made"
    done
}

send() { # TOPIC
    java_now kafka.tools.ConsoleProducer --bootstrap-server "$(address)" --topic "$1"
}

show() { # TOPIC
    java_now org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$(address)" --topic "$1" --from-beginning
}

command=${1:-help}
case $command in
    start | stop | run | kill) needed=2 ;;
    topic | send | show) needed=3 ;;
    *) needed=0 ;;
esac
[ $# -ge $needed ] || { usage >&2; fail 2 "$command needs more arguments"; }
case $command in
    fetch) fetch ;;
    check) check ;;
    start)
        enter "$2"
        with_folder start_all "${@:3}"
        say "runs at $(address)"
        ;;
    run) run_while_wanted "$2" start_all "${@:3}" ;;
    stop | kill | topic | send | show)
        [ -d "$2" ] || fail 1 "there is no folder $2"
        enter "$2"
        case $command in
            stop) with_folder stop_all ;;
            kill) with_folder kill_process kafka ;;
            topic) make_topics "${@:3}" ;;
            *) "$command" "$3" ;;
        esac
        ;;
    help | --help | -h) usage ;;
    *) usage >&2; fail 2 "there is no command $command" ;;
esac
