"""Our lines in the run's log, on a descriptor of our own: users may close or redirect theirs."""
import logging
import os

log = logging.getLogger("runledger")


class _Quiet(logging.StreamHandler):
    """A log that cannot be written is no reason to stop."""

    def handleError(self, record):
        pass


def start():
    """Writes our lines to what is stderr now; users' own loggers write there too, from INFO on."""
    stream = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace")
    handler = _Quiet(stream)
    handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
    log.addHandler(handler)
    log.propagate = False
    logging.basicConfig(level=logging.INFO)
    log.setLevel(logging.INFO)
