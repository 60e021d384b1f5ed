"""How a run's HDF5 file is made, in the form in which two of them are compared."""
import hashlib

import h5py
import numpy as np

from likeness import Line, is_png, picture_facts


def file_facts(path):
    """By variable, then by where in the file: /, /data, .reduced, …"""
    with h5py.File(path) as file:
        groups = {name: attributes(file[name]) for name in file if name.startswith(".")}
        found = {"": {"attributes": attributes(file)} | groups}
        for variable, place, item in objects(file):
            found.setdefault(variable, {})[place] = object_facts(item)
    return found


def objects(file):
    for name, item in file.items():
        if name.startswith("."):
            for variable, below in item.items():
                yield from within(variable, name, below)
        else:
            yield from within(name, "", item)


def within(variable, place, item):
    yield variable, place or "/", item
    if isinstance(item, h5py.Group):
        for name, below in item.items():
            yield from within(variable, f"{place}/{name}", below)


def object_facts(item):
    facts = {"attributes": attributes(item)}
    if isinstance(item, h5py.Datatype):
        return facts | {"datatype": type_facts(item.id)}
    if isinstance(item, h5py.Dataset):
        return facts | {"data": type_and_value(item), "layout": layout(item)}
    return facts | {"group": ""}


def type_and_value(dataset):
    facts = {"type": type_facts(dataset.id.get_type())}
    if dataset.name.startswith("/.reduced/") and dataset.shape:
        value = dataset[()]
        if is_png(value.tobytes()):
            return facts | picture_facts(value.tobytes())
        if dataset.attrs.get("summary_type") == "trendline":
            return facts | {"line": Line(value)}
    return facts | {"shape": list(dataset.shape), "value": checksum(dataset)}


def layout(dataset):
    filters = {"compression": dataset.compression_opts, "shuffle": dataset.shuffle}
    limits = ["unlimited" if limit is None else "limited" for limit in dataset.maxshape]
    return filters | {"limits": limits, "is_chunked": bool(dataset.chunks)}


def checksum(dataset):
    value = np.asarray(dataset[()])
    if "is a netCDF dimension but" in str(dataset.attrs.get("NAME", "")):
        return "none"       # It only tells the length.
    data = repr(value.tolist()).encode() if value.dtype.hasobject else value.tobytes()
    return hashlib.sha256(data).hexdigest()


def attributes(item):
    facts = {}
    for name in item.attrs:
        attribute = h5py.h5a.open(item.id, name.encode())
        facts[name] = {"type": type_facts(attribute.get_type()), "shape": list(attribute.shape),
                       "value": readable(item, item.attrs[name])}
        if name in ("_Netcdf4Dimid", "_Netcdf4Coordinates"):
            facts[name]["value"] = dimensions(item, np.ravel(item.attrs[name]))
    return facts


def dimensions(item, numbers):
    """NetCDF's numbers of dimensions as their names; the numbers go on through the whole file."""
    scales = [each for each in item.parent.values() if isinstance(each, h5py.Dataset) and each.is_scale]
    named = {int(scale.attrs["_Netcdf4Dimid"]): scale.name for scale in scales}
    return [named.get(int(number), f"number {number}") for number in numbers]


def readable(item, value):
    """References as the names of what they refer to."""
    if isinstance(value, h5py.Reference):
        return item.file[value].name
    if isinstance(value, h5py.Empty):
        return "empty"
    if isinstance(value, np.ndarray) and value.dtype.names and value.dtype.hasobject:    # REFERENCE_LIST
        return sorted([item.file[reference].name, int(place)] for reference, place in value)
    if isinstance(value, np.ndarray):
        return [readable(item, each) for each in value]
    return repr(value)


def type_facts(kind):
    if isinstance(kind, h5py.h5t.TypeStringID):
        length = "variable" if kind.is_variable_str() else kind.get_size()
        return f"string of length {length}, set {kind.get_cset()}, padding {kind.get_strpad()}"
    if isinstance(kind, h5py.h5t.TypeVlenID):
        return f"several {type_facts(kind.get_super())}"
    if isinstance(kind, h5py.h5t.TypeCompoundID):
        return [[kind.get_member_name(i).decode(), type_facts(kind.get_member_type(i))]
                for i in range(kind.get_nmembers())]
    return str(kind.dtype.str) + str(h5py.check_enum_dtype(kind.dtype) or "")
