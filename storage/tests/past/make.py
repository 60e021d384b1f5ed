"""Makes a filled database of a past format, with its run files.

    make.py FORMAT FOLDER

FORMAT is 0, `intermediate` or a number from 1 on. Those from 1 on are made by the steps of the damnit package, the
others, which it only reads, as they are described: one wide table and loose arrays; a column `stored_type`.
"""
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

os.environ["AMORE_BROKER"] = "none"     # read by damnit when it is imported

import h5py
import numpy as np
import xarray as xr
from damnit.backend.db import DamnitDB, complex2blob, numpy2blob
from damnit.backend.db_migrations import apply_migrations, latest_version
from damnit.context import generate_thumbnail

WRITTEN = 1_600_000_000.5       # when the run files were last changed, seconds since 1970
PIXELS = np.linspace(0, 1, 600).reshape(20, 30)
RUNS = [(1234, 1, 1.5e9, 1.5e9 + 60), (1234, 2, None, 1.5e9 + 120), (1234, 3, 1.5e9 + 100, 1.5e9 + 180),
        (5678, 1, 1.6e9, 1.6e9 + 60)]
SETTINGS = {"proposal": 1234, "context_python": "/somewhere/bin/python", "slurm_time": "01:00:00"}


def main(wanted, folder):
    folder.mkdir(exist_ok=True)
    (folder / "extracted_data").mkdir()
    with closing(sqlite3.connect(folder / "runs.sqlite")) as conn:
        if wanted == "0":
            fill_wide(conn)
        elif wanted == "intermediate":
            fill_intermediate(conn)
        else:
            fill_numbered(conn, int(wanted))
    for proposal, run, _, _ in RUNS:
        if run == 2:
            continue        # one without results
        path = folder / "extracted_data" / f"p{proposal}_r{run}.h5"
        write = {"0": write_loose, "intermediate": write_typed}.get(wanted, write_run_file)
        write(path, run)
        os.utime(path, (WRITTEN + run, WRITTEN + run))


def png():
    return bytes(generate_thumbnail(PIXELS).data)


def fill_shared(conn):
    """What all formats have in common, in tables that are there."""
    conn.executemany("INSERT INTO metameta VALUES (?, ?) ON CONFLICT (key) DO NOTHING", SETTINGS.items())
    conn.execute("INSERT INTO variables VALUES ('quality', 'integer', 'Quality', 'from 1 to 5', NULL)")
    conn.execute("INSERT INTO time_comments VALUES (1500000030.0, 'shutter closed; “ö”')")


def fill_numbered(conn, version):
    if version > latest_version():
        sys.exit(f"damnit {latest_version()} has no format {version}: give it a fixture of its own")

    def record(step):
        conn.execute("INSERT OR REPLACE INTO metameta VALUES ('data_format_version', ?)", (step,))

    apply_migrations(conn, -1, version, record)
    with conn:
        fill_shared(conn)
        conn.executemany("INSERT INTO run_info VALUES (?, ?, ?, ?)", RUNS)
        for name, title in [("energy", "Energy"), ("camera.image", "Image"), ("spectrum", "Spectrum"),
                            ("phase", "Phase"), ("few", "Few"), ("label", None), ("broken", "Broken")]:
            conn.execute("INSERT INTO variables VALUES (?, NULL, ?, NULL, NULL)", (name, title))
        for proposal, run, _, _ in RUNS:
            fill_cells(conn, proposal, run)
        if version >= 2:
            conn.execute("UPDATE run_variables SET attributes = ? WHERE name = 'energy' AND run = 1",
                         ('{"units": "keV", "bold": true}',))
            conn.execute("INSERT INTO run_variables (proposal, run, name, version, timestamp, provenance, attributes) "
                         "VALUES (1234, 1, 'broken', 1, 1.5e9, 'context.py', ?)",
                         ('{"error": "no such key", "error_cls": "KeyError"}',))
        if version >= 3:
            conn.execute("INSERT INTO tags (id, name) VALUES (1, 'nice'), (2, 'raw')")
            conn.execute("INSERT INTO variable_tags VALUES ('energy', 1), ('spectrum', 1), ('spectrum', 2)")
    remake_views(conn)


def fill_cells(conn, proposal, run):
    cells = {
        "energy": (9.25 + run, None, "mean", 0.5),
        "camera.image": (png(), None, "", None),
        "spectrum": (numpy2blob(np.array([[0., 1, 2], [3, 4, 5]])), "trendline", "", 2.0),
        "few": (numpy2blob(np.arange(3, dtype="<i2")), "numpy", "", 2.0),
        "phase": (complex2blob(1 - 2j), "complex", "mean", None),
        "label": ("nice – ü", None, "", None),
        "quality": (run, None, "", None),
        "comment": (f"run {run}", None, "", None),
    }
    for name, (value, kind, method, max_diff) in cells.items():
        provenance = {"quality": "manual-input", "comment": ""}.get(name, "context.py")
        conn.execute("INSERT INTO run_variables (proposal, run, name, version, value, timestamp, max_diff, "
                     "provenance, summary_type, summary_method) VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?)",
                     (proposal, run, name, value, 1.5e9 + run, max_diff, provenance, kind, method))


def remake_views(conn):
    """As damnit does, which would upgrade the database if it opened it."""
    db = DamnitDB.__new__(DamnitDB)
    db.conn = conn
    db.update_views()


def fill_wide(conn):
    conn.executescript("""
        CREATE TABLE runs (proposal, runnr, start_time, added_at, comment, energy, image, figure, spectrum,
                           square, trace, label);
        CREATE UNIQUE INDEX proposal_run ON runs (proposal, runnr);
        CREATE TABLE metameta (key PRIMARY KEY NOT NULL, value);
        CREATE TABLE variables (name TEXT PRIMARY KEY NOT NULL, type TEXT, title TEXT, description TEXT, attributes TEXT);
        CREATE TABLE time_comments (timestamp, comment);
        ALTER TABLE runs ADD COLUMN quality;
    """)
    with conn:
        fill_shared(conn)
        for proposal, run, start_time, added_at in RUNS:
            has_file = run != 2
            conn.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (
                proposal, run, start_time, added_at, f"run {run}", 9.25 + run if has_file else None,
                numpy2blob(PIXELS) if has_file else None, b"old pixels" if has_file else None,
                2.5 if has_file else None, 0.5 if has_file else None, 5.0 if has_file else None, "nice – ü", run))


def fill_intermediate(conn):
    conn.executescript("""
        CREATE TABLE run_info (proposal, run, start_time, added_at);
        CREATE UNIQUE INDEX proposal_run ON run_info (proposal, run);
        CREATE TABLE run_variables (proposal, run, name, version, value, timestamp, max_diff, provenance, stored_type);
        CREATE UNIQUE INDEX variable_version ON run_variables (proposal, run, name, version);
        CREATE TABLE metameta (key PRIMARY KEY NOT NULL, value);
        CREATE TABLE variables (name TEXT PRIMARY KEY NOT NULL, type TEXT, title TEXT, description TEXT, attributes TEXT);
        CREATE TABLE time_comments (timestamp, comment);
    """)
    with conn:
        fill_shared(conn)
        conn.execute("INSERT INTO metameta VALUES ('data_format_version', 0)")
        conn.executemany("INSERT INTO run_info VALUES (?, ?, ?, ?)", RUNS)
        for proposal, run, _, _ in RUNS:
            for name, value, kind in [("energy", 9.25 + run, "ndarray"), ("image", numpy2blob(PIXELS), "ndarray"),
                                      ("spectrum", 2.5, "DataArray"), ("quality", run, None)]:
                conn.execute("INSERT INTO run_variables VALUES (?, ?, ?, 1, ?, ?, 0.5, 'context.py', ?)",
                             (proposal, run, name, value, 1.5e9 + run, kind))
    remake_views(conn)


def spectrum(run):
    return xr.DataArray(np.arange(12.).reshape(3, 4) * run, dims=["pulse", "channel"],
                        coords={"pulse": [10, 20, 30], "channel": [0.5, 1.5, 2.5, np.nan], "delay": 4.5})


def write_summaries(f, summaries):
    for name, summary in summaries.items():
        f[f".reduced/{name}"] = summary


def write_run_file(path, run):
    with h5py.File(path, "w") as f:
        f["energy/data"] = 9.25 + run
        f["camera.image/data"] = PIXELS
        f.create_group("spectrum").attrs["_damnit_objtype"] = "dataarray"
        write_summaries(f, {"energy": 9.25 + run, "camera.image": np.frombuffer(png(), np.uint8)})
    spectrum(run).to_netcdf(path, mode="a", group="spectrum", engine="h5netcdf")


def write_loose(path, run):
    """Arrays with labels as datasets side by side; which label belongs to which dimension is not said."""
    with h5py.File(path, "w") as f:
        f["energy/data"] = 9.25 + run
        f["trace/data"] = np.array([3, np.nan, 7, 5], dtype="f4")
        f["image/data"] = PIXELS
        f["label/data"] = "nice – ü"
        array = spectrum(run)
        f["spectrum/data"] = array.values
        for name, labels in array.coords.items():
            f[f"spectrum/{name}"] = labels.values
        f["flags/data"] = np.array([True, False])
        f["flags/name"] = ["up", "down"]
        f["bare/data"] = np.arange(6, dtype="i2").reshape(2, 3)
        f["bare/column"] = np.arange(3)
        if run == 3:        # which is which?
            f["square/data"] = np.eye(4)
            f["square/x"] = np.arange(4)
            f["square/y"] = np.arange(4) * 2.
        figure = np.zeros((80, 310, 4), np.uint8)
        figure[..., 3] = 255
        figure[20:40, 100:200, 0] = 200
        f["figure/data"] = figure
        write_summaries(f, {"energy": 9.25 + run, "image": PIXELS, "figure": figure, "spectrum": 2.5,
                            "trace": 5.0, "label": "nice – ü"})


def write_typed(path, run):
    with h5py.File(path, "w") as f:
        f["energy/data"] = 9.25 + run
        f["image/data"] = PIXELS
        f.create_group("spectrum")
        write_summaries(f, {"energy": 9.25 + run, "image": PIXELS, "spectrum": 2.5})
        for name, kind in [("energy", "ndarray"), ("image", "ndarray"), ("spectrum", "DataArray")]:
            f[f".reduced/{name}"].attrs["stored_type"] = kind
    spectrum(run).to_netcdf(path, mode="a", group="spectrum", engine="h5netcdf")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
