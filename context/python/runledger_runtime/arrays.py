"""NumPy arrays on their way out: which can be stored, and how they are described and laid out."""
import json

import numpy as np

# Bytes of an array that are copied at once.
_PIECE = 1 << 20


def is_number(dtype):
    """Whether elements are booleans, integers, floats or complex numbers."""
    return dtype.kind in "biufc"


def is_text(dtype):
    """Whether elements are texts: of fixed width, or NumPy 2's variable-width strings."""
    return dtype.kind in "UT"


def is_storable(dtype):
    """Whether the stores can hold such elements: numbers, texts, bytes, and structures of numbers and bytes."""
    return is_text(dtype) or _is_plain(dtype)


def _is_plain(dtype):
    if dtype.names is not None:
        return bool(dtype.names) and all(_is_plain(dtype[name]) for name in dtype.names)
    if dtype.subdtype is not None:
        return _is_plain(dtype.base)
    return not dtype.hasobject and (is_number(dtype) or (dtype.kind in "SV" and dtype.itemsize > 0))


def describe_dtype(dtype):
    """`numpy.dtype.descr` in JSON: a type string, or a list of [name, type, shape]."""
    return dtype.str if dtype.names is None else _fields(dtype.descr)


def _fields(descr):
    return [_field(*field) for field in descr]


def _field(name, kind, shape=()):
    # A name may come with a title: (title, name).
    name = name[1] if isinstance(name, tuple) else name
    kind = _fields(kind) if isinstance(kind, list) else kind
    return [checked_text(name), kind, list(shape)]


def raw_pieces(array):
    """The elements in C order as bytes: at once where they lie so, else copied piece by piece."""
    if array.nbytes == 0:
        return
    if array.flags.c_contiguous:
        yield _raw(array.reshape(-1))
        return
    flags = ("external_loop", "buffered")
    size = max(1, _PIECE // array.itemsize)
    for piece in np.nditer(array, flags, ("readonly", "contig"), order="C", buffersize=size):
        yield _raw(piece)


def _raw(line):
    return memoryview(line.view(np.uint8))


def text_list(array):
    """The texts of an array in C order."""
    return [checked_text(text) for text in array.reshape(-1).tolist()]


def checked_text(text):
    """`text` as a plain string, if HDF5 can hold it."""
    if not isinstance(text, str):
        raise TypeError(f"Returned data type {type(text)} among texts cannot be saved")
    if "\0" in text:
        raise ValueError("a text with a NUL character cannot be saved")
    text.encode("utf-8")  # a lone surrogate raises, naming the place
    return str(text)


def texts_as_json(texts):
    """A list of texts as the bytes that go into a buffer."""
    return json.dumps(texts, ensure_ascii=False).encode("utf-8")
