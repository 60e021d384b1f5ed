"""Announces runs of proposal 1234 on a Kafka topic with kafka-python, as a facility does: one after the other, each on
the partition after the last one's, waiting for the broker as long as it takes.

    announce.py BROKER TOPIC FIRST LAST [--pause SECONDS] [--corrected] [--strangers N]

Prints each run when the broker has it. With --corrected it also says that the run is corrected, on the partition after
that; of every third run it says so first. With --strangers it first tells, of each run, of N runs of other proposals.
"""
import argparse
import json
import time

from kafka import KafkaProducer
from kafka.errors import NoBrokersAvailable


PATIENCE = 120      # seconds


def main():
    args = arguments()
    producer = connected(args.broker)
    partitions = sorted(producer.partitions_for(args.topic))
    for run in range(args.first, args.last + 1):
        for proposal in range(2000, 2000 + args.strangers):
            message = {"event": "migration_complete", "proposal": proposal, "run": run}
            producer.send(args.topic, message)
        for event, place in events(run, args.corrected):
            message = {"event": event, "proposal": 1234, "run": run}
            partition = partitions[place % len(partitions)]
            producer.send(args.topic, message, partition=partition).get(timeout=PATIENCE)
        print(run, flush=True)
        time.sleep(args.pause)
    producer.close()


def events(run, corrected):
    """What is said of a run, in its order, with the partition."""
    said = [("migration_complete", run)]
    if corrected:
        said.insert(0 if run % 3 == 0 else 1, ("run_corrections_complete", run + 1))
    return said


def connected(broker):
    """A producer; the broker may be away."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return KafkaProducer(
                bootstrap_servers=[broker], acks="all", enable_idempotence=True,
                delivery_timeout_ms=PATIENCE * 1000, reconnect_backoff_max_ms=500,
                value_serializer=lambda message: json.dumps(message).encode(),
            )
        except NoBrokersAvailable:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("broker")
    parser.add_argument("topic")
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--pause", type=float, default=0)
    parser.add_argument("--corrected", action="store_true")
    parser.add_argument("--strangers", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
