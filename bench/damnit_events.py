"""Seconds that DAMNIT's EventProcessor takes: damnit_events.py LISTENER_DIR DATABASE_DIR PROPOSAL EVENTS."""
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from damnit.backend import listener

folder, database, proposal, events = sys.argv[1:]


def record(run):
    event = {"event": "migration_complete", "proposal": int(proposal), "run": run}
    return SimpleNamespace(value=json.dumps(event).encode(), timestamp=time.time() * 1000)


with mock.patch.object(listener, "KafkaConsumer"), listener.EventProcessor(Path(folder)) as processor:
    processor.db.add_proposal_db(int(proposal), str(database), False)
    records = [record(run) for run in range(1, int(events) + 1)]
    began = time.perf_counter()
    for each in records:
        processor._process_kafka_event(each)
    print(time.perf_counter() - began)
