"""Changes topics of a Kafka with kafka-python.

    topics.py BROKER make TOPIC PARTITIONS [NAME=VALUE...]      with settings of its own
    topics.py BROKER enlarge TOPIC PARTITIONS
    topics.py BROKER remove TOPIC                               and waits until it is gone
    topics.py BROKER empty TOPIC PARTITION OFFSET               as if what is before had expired
    topics.py BROKER forget GROUP                               as if it had been away for too long
    topics.py BROKER send TOPIC TIME TEXT [PARTITION]           one message of that time (ms); the TEXT `null` is none
"""
import sys
import time

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import NewPartitions, NewTopic


def make(broker, topic, partitions, *settings):
    new = NewTopic(topic, int(partitions), 1, topic_configs=dict(one.split("=", 1) for one in settings))
    administrator(broker).create_topics([new])


def enlarge(broker, topic, partitions):
    administrator(broker).create_partitions({topic: NewPartitions(int(partitions))})


def remove(broker, topic):
    admin = administrator(broker)
    admin.delete_topics([topic])
    while topic in admin.list_topics():
        time.sleep(0.05)


def empty(broker, topic, partition, offset):
    administrator(broker).delete_records({TopicPartition(topic, int(partition)): int(offset)})


def forget(broker, group):
    [(_, error)] = administrator(broker).delete_consumer_groups([group])
    assert error.errno == 0, error


def send(broker, topic, moment, text, partition=0):
    value = None if text == "null" else text.encode()
    producer = KafkaProducer(bootstrap_servers=[broker], acks="all")
    # Without a value there has to be a key.
    producer.send(topic, value, key=b"", partition=int(partition), timestamp_ms=int(moment)).get(timeout=60)
    producer.close()


def administrator(broker):
    return KafkaAdminClient(bootstrap_servers=[broker])


if __name__ == "__main__":
    broker, action, *arguments = sys.argv[1:]
    {"make": make, "enlarge": enlarge, "remove": remove, "empty": empty, "forget": forget, "send": send}[action](broker, *arguments)
