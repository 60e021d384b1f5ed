"""Changes topics of a Kafka with kafka-python.

    topics.py BROKER make TOPIC PARTITIONS [NAME=VALUE...]      with settings of its own
    topics.py BROKER remove TOPIC                               and waits until it is gone
    topics.py BROKER empty TOPIC PARTITION OFFSET               as if what is before had expired
    topics.py BROKER send TOPIC TIME TEXT                       one message of that time (ms); the TEXT `null` is none
"""
import sys
import time

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import NewTopic


def make(broker, topic, partitions, *settings):
    new = NewTopic(topic, int(partitions), 1, topic_configs=dict(one.split("=", 1) for one in settings))
    administrator(broker).create_topics([new])


def remove(broker, topic):
    admin = administrator(broker)
    admin.delete_topics([topic])
    while topic in admin.list_topics():
        time.sleep(0.05)


def empty(broker, topic, partition, offset):
    administrator(broker).delete_records({TopicPartition(topic, int(partition)): int(offset)})


def send(broker, topic, moment, text):
    value = None if text == "null" else text.encode()
    producer = KafkaProducer(bootstrap_servers=[broker], acks="all")
    # Without a value there has to be a key.
    producer.send(topic, value, key=b"", partition=0, timestamp_ms=int(moment)).get(timeout=60)
    producer.close()


def administrator(broker):
    return KafkaAdminClient(bootstrap_servers=[broker])


if __name__ == "__main__":
    broker, action, *arguments = sys.argv[1:]
    {"make": make, "remove": remove, "empty": empty, "send": send}[action](broker, *arguments)
