"""Compares a run's file with what context.py makes, and prints what the summaries look like as JSON."""
import json
import sys

import h5py
import numpy as np
import xarray as xr

import context

path = sys.argv[1]
wanted = {name: getattr(context, name).func(None) for name in ("plain", "turned", "line", "labelled")}
with h5py.File(path) as file:
    for name in ("plain", "turned", "line"):
        np.testing.assert_array_equal(file[name]["data"], wanted[name])
        assert file[name]["data"].chunks is None
    data = file["labelled"]["__xarray_dataarray_variable__"]
    assert (data.compression, data.compression_opts, data.shuffle) == ("gzip", 1, True)
    # Several chunks, not all of them full.
    assert data.chunks[0] == 1 and 1 < data.chunks[1] < 999 and 999 % data.chunks[1]
    print(json.dumps({
        "stored": data.id.get_storage_size() / data.nbytes,
        "peak": int(file["peak"]["data"][()]),
        "data": sum(array.nbytes for array in wanted.values()),
        "spreads": [float(file[f".reduced/{name}"].attrs["max_diff"]) for name in wanted],
        "line": [len(file[".reduced/line"][0]), min(file[".reduced/line"][1])],
        "picture": bytes(file[".reduced/turned"][:4]).decode("latin-1"),
        "text": file[".reduced/plain"].asstr()[()],
    }))
assert xr.load_dataarray(path, group="labelled", engine="h5netcdf").identical(wanted["labelled"])
