"""Compares run files that were added to with files that were composed at once of the same fragments.

    check.py FOLDER: FOLDER/ADDED.added.h5 and FOLDER/ADDED.composed.h5
"""
import sys
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

NUMBERS = {"_Netcdf4Dimid", "_Netcdf4Coordinates"}
REFERENCES = {"DIMENSION_LIST", "REFERENCE_LIST"}


def objects(file):
    """All objects by path: type, values, attributes. Of what differs by file only that it is there."""
    found = {}

    def visit(path, object_):
        attributes = {name: None if name in NUMBERS | REFERENCES else repr(object_.attrs[name]) for name in object_.attrs}
        if isinstance(object_, h5py.Group):
            found[path] = (attributes,)
            return
        scales = [[scale.name for scale in dimension.values()] for dimension in object_.dims]
        values = object_[()]
        found[path] = (attributes, str(object_.dtype), object_.shape, object_.chunks, object_.compression, scales,
                       values.tobytes() if object_.dtype.kind != "O" else repr(values))

    file.visititems(visit)
    return found


def dimension_numbers(file):
    numbers = []
    file.visititems(lambda _, object_: numbers.append(int(object_.attrs["_Netcdf4Dimid"]))
                    if isinstance(object_, h5py.Dataset) and object_.is_scale else None)
    return numbers


def check(added, composed):
    with h5py.File(added) as one, h5py.File(composed) as other:
        left, right = objects(one), objects(other)
        assert left.keys() == right.keys(), (added, left.keys() ^ right.keys())
        for path, found in left.items():
            assert found == right[path], (added, path, found, right[path])
        assert dict(one.attrs) == dict(other.attrs)
        numbers = dimension_numbers(one)
        assert len(set(numbers)) == len(numbers), (added, numbers)
        labelled = [name for name in one if one[name].attrs.get("_damnit_objtype") == "dataset"]
    for name in labelled:
        found, wanted = (xr.load_dataset(path, group=name, engine="h5netcdf") for path in (added, composed))
        assert found.identical(wanted), (added, name, found, wanted)
        assert np.isfinite(found["y"]).all()
    return len(labelled)


folder = Path(sys.argv[1])
pairs = sorted(folder.glob("*.added.h5"))
print(len(pairs), sum(check(added, added.with_name(added.name.replace("added", "composed"))) for added in pairs))
