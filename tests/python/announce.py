"""Announces runs of proposal 1234 on a Kafka topic with kafka-python, as a facility does: one after the other, each on
the partition after the last one's, waiting for the broker as long as it takes.

    announce.py BROKER TOPIC FIRST LAST [--pause SECONDS]

Prints each run when the broker has it.
"""
import argparse
import json
import time

from kafka import KafkaProducer


def main():
    args = arguments()
    producer = KafkaProducer(
        bootstrap_servers=[args.broker], acks="all", enable_idempotence=True, delivery_timeout_ms=120_000,
        reconnect_backoff_max_ms=500, value_serializer=lambda message: json.dumps(message).encode(),
    )
    partitions = sorted(producer.partitions_for(args.topic))
    for run in range(args.first, args.last + 1):
        message = {"event": "migration_complete", "proposal": 1234, "run": run}
        partition = partitions[run % len(partitions)]
        producer.send(args.topic, message, partition=partition).get(timeout=120)
        print(run, flush=True)
        time.sleep(args.pause)
    producer.close()


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("broker")
    parser.add_argument("topic")
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--pause", type=float, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
