"""DAMNIT's own window on a database, on no screen; prints what it shows of each run.

    window.py DATABASE_FOLDER

`ready`, as soon as it would hear of changes; and one JSON line per change: run, header (its number, with the sign that
it waits or is processed), tip (what the header says to a mouse that rests on it), cells (texts by the columns' titles).
Goes on until it is ended.
"""
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# As root, Chromium (which the window loads for Plotly's figures) would not start with it.
os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")

from damnit.gui.main_window import MainWindow    # noqa: E402 - before Qt, its own settings
from PyQt6.QtCore import Qt, QTimer    # noqa: E402
from PyQt6.QtWidgets import QApplication    # noqa: E402


class Told:
    """What was printed of each row."""

    def __init__(self, window):
        self.window, self.rows = window, {}
        self.is_ready = False

    def look(self):
        if not self.is_ready and hears(self.window):
            self.is_ready = True
            print("ready", flush=True)
        for (_, run), row in self.window.table.run_index.items():
            shown = self.shown(run, row)
            if self.rows.get(row) != shown:
                self.rows[row] = shown
                print(json.dumps(shown), flush=True)

    def shown(self, run, row):
        model = self.window.table
        header = model.verticalHeaderItem(row)
        cells = {
            model.headerData(column, Qt.Orientation.Horizontal): model.index(row, column).data()
            for column in range(model.columnCount())
        }
        return {
            "run": run,
            "header": header and header.text(),
            "tip": header and header.toolTip(),
            "cells": {title: str(text) for title, text in cells.items() if text is not None},
        }


def hears(window):
    """Whether the window's consumer knows from where on it reads; what was said before passes it by."""
    partitions = window.update_agent.kafka_cns._subscription.assignment.values()
    return bool(partitions) and all(partition.has_valid_position for partition in partitions)


def main():
    (folder,) = sys.argv[1:]
    application = QApplication(sys.argv[:1])
    window = MainWindow(Path(folder))
    window.show()
    told = Told(window)
    timer = QTimer(interval=20)
    timer.timeout.connect(told.look)
    timer.start()
    sys.exit(application.exec())


if __name__ == "__main__":
    main()
