"""xarray's objects in the form of a NetCDF-4 group, prepared by xarray's own encoder.

xarray writes into a "store"; ours keeps what it is told, and the other side writes the file.
"""
import numpy as np

from . import is_loaded_instance
from .arrays import checked_text, is_storable, is_text

# What xarray itself calls a nameless DataArray, and where it keeps a name that it could not use.
_NAMELESS = "__xarray_dataarray_variable__"
_REAL_NAME = "__xarray_dataarray_name__"


def is_xarray(value):
    return any(is_loaded_instance(value, "xarray", name) for name in ("DataArray", "Dataset"))


def encode(value, buffers, encode_values):
    """The description of a group; `encode_values(array, buffers)` describes each array in it."""
    is_dataset = is_loaded_instance(value, "xarray", "Dataset")
    dataset = _without_slashes(value if is_dataset else _as_dataset(value))
    store = _filled_store(dataset)
    data = {str(name) for name in dataset.data_vars}
    return {
        "kind": "netcdf",
        "objtype": "dataset" if is_dataset else "dataarray",
        "dimensions": [[name, int(length)] for name, length in store.dimensions.items()],
        "variables": [
            {
                "name": name,
                "dims": [_checked_name(dim) for dim in dims],
                "values": encode_values(_plain(array), buffers),
                "attributes": _attributes(attributes, buffers, encode_values),
                "is_data": name in data,
            }
            for name, (dims, array, attributes) in store.variables.items()
        ],
        "attributes": _attributes(store.attributes, buffers, encode_values),
    }


def _as_dataset(array):
    """A dataset with this one variable, as `DataArray.to_netcdf` makes it."""
    if array.name is None:
        return array.to_dataset(name=_NAMELESS)
    if not isinstance(array.name, str):
        raise TypeError(f"a DataArray whose name is {array.name!r}, not a string, cannot be saved")
    if array.name in array.coords or array.name in array.dims:
        dataset = array.to_dataset(name=_NAMELESS)
        dataset.attrs[_REAL_NAME] = array.name
        return dataset
    return array.to_dataset()


def _without_slashes(dataset):
    """Data variables renamed where HDF5 would see a path."""
    return dataset.rename_vars({
        name: name.replace("/", "_") for name in dataset.data_vars if isinstance(name, str) and "/" in name
    })


def _filled_store(dataset):
    store = _store_class()()
    # Encodings that data variables bring from a file they were read from do not apply to ours.
    fresh = {name: {} for name in dataset.data_vars}
    dataset.dump_to_store(store, writer=_NoWriter(), encoding=fresh)
    return store


class _NoWriter:
    """xarray hands arrays over at the end; the store has them already."""

    def add(self, source, target, region=None):
        pass


def _store_class():
    """Made when needed: its base belongs to xarray, which only users import."""
    from xarray.backends.common import WritableCFDataStore
    from xarray.coding.strings import CharacterArrayCoder, EncodedStringCoder

    class Store(WritableCFDataStore):
        """Keeps dimensions, attributes, and variables as (dims, array, attributes)."""

        __slots__ = ("attributes", "dimensions", "variables")

        def __init__(self):
            self.attributes, self.dimensions, self.variables = {}, {}, {}

        def encode_variable(self, variable, name=None):
            for coder in (EncodedStringCoder(allows_unicode=True), CharacterArrayCoder()):
                variable = coder.encode(variable, name=name)
            return variable

        def get_dimensions(self):
            return self.dimensions

        def get_parent_dimensions(self):
            return {}

        def set_dimension(self, name, length, is_unlimited=False):
            self.dimensions[_checked_name(name)] = length

        def set_attribute(self, name, value):
            self.attributes[name] = value

        def prepare_variable(self, name, variable, check_encoding=False, unlimited_dims=None):
            array = np.asarray(variable.data)
            self.variables[_checked_name(name)] = (variable.dims, array, variable.attrs)
            return None, array

    return Store


def _checked_name(name):
    if not isinstance(name, str):
        raise TypeError(f"the name {name!r} is not a string: it cannot be saved")
    if "/" in name or not name:
        raise ValueError(f"{name!r} cannot be saved as the name of a variable, coordinate or dimension")
    return checked_text(name)


def _plain(array):
    """Texts that xarray keeps as Python objects, as an array of texts."""
    if array.dtype.kind == "O" and all(isinstance(text, str) for text in array.flat):
        return array.astype(str)
    if not is_storable(array.dtype):
        raise TypeError(f"an array of {array.dtype} cannot be saved in NetCDF")
    return array


def _attributes(attributes, buffers, encode_values):
    return [[_checked_attribute(name), encode_values(_attribute(name, value), buffers)]
            for name, value in attributes.items()]


def _checked_attribute(name):
    if not isinstance(name, str) or not name:
        raise TypeError(f"{name!r} cannot be saved as the name of an attribute")
    return checked_text(name)


def _attribute(name, value):
    """Numbers have at least one dimension, as the NetCDF library writes them; a text has none."""
    array = np.asarray(value)
    if array.dtype.kind == "b" or not is_storable(array.dtype):
        raise TypeError(f"the attribute {name!r} of type {type(value).__name__} cannot be saved")
    return array if is_text(array.dtype) or array.dtype.kind == "S" else np.atleast_1d(array)
