"""Feeds DAMNIT's own job tracker with the messages of an update topic, and prints what it makes of each.

    track_jobs.py BROKER TOPIC

One JSON line per change: run, processing_id, status (`gone`: the tracker has dropped the job), slurm_cluster,
slurm_job_id. Goes on until it is ended.
"""
import json
import sys

from damnit.backend.extraction_control import ExtractionJobTracker
from kafka import KafkaConsumer


class Telling(ExtractionJobTracker):
    def __init__(self):
        super().__init__()
        self.known = {}

    def on_run_jobs_changed(self, proposal, run):
        """DAMNIT's tracker calls this after it has changed its mind."""
        for job in self.jobs.values():
            if self.known.get(job["processing_id"]) != job:
                tell(job, job["status"])
        for job in self.known.values():
            if job["processing_id"] not in self.jobs:
                tell(job, "gone")
        self.known = dict(self.jobs)


def tell(job, status):
    print(json.dumps({
        "run": job["run"], "processing_id": job["processing_id"], "status": status,
        "cluster": job["slurm_cluster"], "job": job["slurm_job_id"],
    }), flush=True)


def main():
    broker, topic = sys.argv[1:]
    consumer = KafkaConsumer(
        topic, bootstrap_servers=[broker], auto_offset_reset="earliest",
        metadata_max_age_ms=500,    # the topic may come into being later
    )
    tracker = Telling()
    while True:
        for records in consumer.poll(timeout_ms=200).values():
            for record in records:
                message = json.loads(record.value)
                handle = getattr(tracker, "on_" + message["msg_kind"], None)
                if handle:
                    handle(message["data"])


if __name__ == "__main__":
    main()
