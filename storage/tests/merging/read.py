"""Reads all of a run's file again and again until FOLDER/stop is there. What it has are results of one merge.

    read.py FOLDER RUN_FILE LOCKING
"""
import sys
from pathlib import Path

import h5py
import xarray as xr

folder, path, locking = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "locking"
seen = []
while not (folder / "stop").exists():
    with h5py.File(path, locking=locking) as file:
        number = int(file["b/data"].asstr()[()])
        assert file["a/data"][0] == number and (file["a/data"][:] - number == range(len(file["a/data"]))).all()
        assert file["c/s"][()] == number and (file["c/y"][0] - number == range(file["c/y"].shape[1])).all()
        assert file[".reduced/a"][()] == number and file[".reduced/b"].asstr()[()] == str(number)
        file.visititems(lambda _, found: found[()] if isinstance(found, h5py.Dataset) else None)
    assert not seen or number >= seen[-1]
    seen.append(number)
    if len(seen) % 10 == 0:
        labelled = xr.load_dataset(path, group="c", engine="h5netcdf")
        assert labelled["y"][0, 0] == labelled["s"] >= number and labelled["label"][0] == f"é0 of {int(labelled['s'])}"
print(len(set(seen)))
