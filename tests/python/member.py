"""Joins a consumer group with kafka-python, reads what is on its partitions, and is done with that at once.

    member.py BROKER TOPIC GROUP

Prints `partitions N` each time that it is given some, and each message.
"""
import sys

from kafka import KafkaConsumer


def main(broker, topic, group):
    consumer = KafkaConsumer(
        topic, bootstrap_servers=[broker], group_id=group, auto_offset_reset="earliest",
        session_timeout_ms=6000, heartbeat_interval_ms=500, auto_commit_interval_ms=100,
    )
    share = None
    while True:
        messages = consumer.poll(timeout_ms=100)
        if consumer.assignment() != share:
            share = consumer.assignment()
            print("partitions", len(share), flush=True)
        for records in messages.values():
            for record in records:
                print(record.value.decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
