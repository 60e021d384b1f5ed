"""Follows a Kafka topic from its beginning with kafka-python, one JSON line per message.

    follow_updates.py BROKER TOPIC [--messages N] [--until-values N] [--seconds S]

Ends with exit status 0 when N messages have come, or when N jobs have finished and their
values are in the table (`processing_finished` and `run_values_updated`, N of each); after
S seconds (60) with exit status 1.
"""
import argparse
import json
import time
from collections import Counter

from kafka import KafkaConsumer


def main():
    args = arguments()
    consumer = KafkaConsumer(
        args.topic, bootstrap_servers=[args.broker], auto_offset_reset="earliest",
        metadata_max_age_ms=500,    # the topic may come into being later
    )
    seen = Counter()
    end = time.monotonic() + args.seconds
    while not enough(seen, args):
        if time.monotonic() > end:
            raise SystemExit(1)
        for records in consumer.poll(timeout_ms=200).values():
            for record in records:
                message = json.loads(record.value)
                print(json.dumps(message), flush=True)
                seen[message["msg_kind"]] += 1


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("broker")
    parser.add_argument("topic")
    parser.add_argument("--messages", type=int, default=float("inf"))
    parser.add_argument("--until-values", type=int, default=float("inf"))
    parser.add_argument("--seconds", type=float, default=60)
    return parser.parse_args()


def enough(seen, args):
    done = min(seen["processing_finished"], seen["run_values_updated"])
    return sum(seen.values()) >= args.messages or done >= args.until_values


if __name__ == "__main__":
    main()
