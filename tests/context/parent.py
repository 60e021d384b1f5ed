"""Tells the log, and nobody else, whether this Python was forked by one that waited."""
import os

with open(f"/proc/{os.getppid()}/cmdline") as command:
    if " keep " in command.read().replace("\0", " "):
        print("a Python that waited is this one's parent")
