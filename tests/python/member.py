"""Joins a consumer group with kafka-python, reads what is on its partitions, and is done with that at once.

    member.py BROKER TOPIC GROUP [sticky]

With `sticky` it agrees on no other way of sharing the partitions. Prints `partitions N` each time that it is given some, and each message.
"""
import sys

from kafka import KafkaConsumer
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor


def main(broker, topic, group, way=None):
    ways = {"partition_assignment_strategy": [StickyPartitionAssignor]} if way == "sticky" else {}
    consumer = KafkaConsumer(
        topic, bootstrap_servers=[broker], group_id=group, auto_offset_reset="earliest",
        session_timeout_ms=6000, heartbeat_interval_ms=500, auto_commit_interval_ms=100, **ways,
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
