"""DAMNIT's listener as it is, at another broker: damnit_listener.py BROKER TOPIC LISTENER_DIR."""
import sys
from pathlib import Path

from damnit.backend import listener

broker, topic, folder = sys.argv[1:]
listener.KAFKA_CONF["maxwell"].update(brokers=[broker], topics=[topic])
with listener.EventProcessor(Path(folder)) as processor:
    processor.run()
