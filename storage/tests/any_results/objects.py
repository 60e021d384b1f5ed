"""Results as users' functions may return them; the same seed makes the same ones."""
import keyword

import numpy as np
import xarray as xr
from hypothesis import HealthCheck, Phase, given, seed as seeded, settings, strategies as st
from hypothesis.extra import numpy as arrays_of

# HDF5 has no NUL in a text, and UTF-8 no lone surrogates: other tests are about them.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
NAMES = st.one_of(
    st.sampled_from(["x", "y", "time", "pixel", "data", "größe", "a b", "1", ".hidden", "光", "x.y"]),
    st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=4),
)
SHAPES = arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
NUMBERS = st.one_of(
    arrays_of.boolean_dtypes(),
    arrays_of.integer_dtypes(endianness="?"),
    arrays_of.unsigned_integer_dtypes(endianness="?"),
    arrays_of.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    arrays_of.complex_number_dtypes(endianness="?", sizes=(64, 128)),
)
BYTES = arrays_of.byte_string_dtypes(min_len=1, max_len=5)
STRUCTURES = arrays_of.array_dtypes(st.one_of(NUMBERS, BYTES), min_size=1, max_size=3, allow_subarrays=True)
PLAIN = st.one_of(
    NUMBERS,
    st.just(np.dtype(np.longdouble)),
    st.just(np.dtype(np.clongdouble)),
    BYTES,
    STRUCTURES.filter(lambda kind: not any("\0" in name for name in kind.names)),
)
UNITS = ["s", "ms", "us", "ns"]


@st.composite
def laid_out(draw, array):
    """The same kind of array in another place in memory: views, both orders, steps, not writable."""
    way = draw(st.integers(0, 6))
    if way == 1 and array.ndim:
        array = np.moveaxis(np.moveaxis(array, 0, -1).copy(), -1, 0)
    elif way == 2:
        array = np.array(array, order="F")
    elif way == 3 and array.ndim:
        array = array[::-1, ...]
    elif way == 4 and array.ndim:
        array = np.repeat(array, 2, axis=-1)[..., ::2]
    elif way == 5 and array.ndim:
        array = np.broadcast_to(array[..., :1], array.shape) if array.shape[-1] else array
    elif way == 6:
        array.flags.writeable = False
    return array


@st.composite
def plain_arrays(draw, dtypes=PLAIN, shapes=SHAPES):
    return draw(laid_out(draw(arrays_of.arrays(draw(dtypes), draw(shapes)))))


@st.composite
def time_arrays(draw, shape):
    # Years that nanoseconds can count, and no calendar reform.
    count = st.integers(-10**9, 4 * 10**9)
    values = draw(arrays_of.arrays(np.int64, shape, elements=count, fill=st.nothing()))
    seconds = values.astype(draw(st.sampled_from(["M8[s]", "m8[s]"])))
    times = seconds.astype(f"{seconds.dtype.kind}8[{draw(st.sampled_from(UNITS))}]")
    if times.size and draw(st.booleans()):
        times.reshape(-1)[0] = "NaT"
    return times


def text_arrays(shape):
    length = int(np.prod(shape))
    texts = st.lists(TEXTS, min_size=length, max_size=length)
    made = texts.map(lambda all: np.array(all, dtype=object).reshape(shape))
    return st.one_of(made, made.map(lambda array: array.astype(str)))


def labelled_values(shape):
    shape = tuple(shape)
    return st.one_of(
        plain_arrays(NUMBERS, st.just(shape)),
        plain_arrays(NUMBERS, st.just(shape)),
        time_arrays(shape),
        text_arrays(shape),
        plain_arrays(BYTES, st.just(shape)),
    )


ATTRIBUTES = st.dictionaries(
    st.one_of(st.sampled_from(["units", "long_name", "n"]), NAMES),
    st.one_of(
        TEXTS, st.integers(-2**63, 2**63 - 1), st.floats(), st.lists(st.floats(), max_size=3),
        st.lists(TEXTS, max_size=3),
        arrays_of.arrays(NUMBERS, st.integers(0, 3)),
    ),
    max_size=3,
)


@st.composite
def variables(draw, dims):
    """(dims, values, attributes) along some of `dims` (name → length)."""
    own = draw(st.permutations(sorted(dims)).flatmap(
        lambda order: st.integers(0, len(order)).map(lambda count: order[:count])))
    return own, draw(labelled_values([dims[dim] for dim in own])), draw(ATTRIBUTES)


@st.composite
def coordinates(draw, dims):
    made = {}
    for dim in dims:
        if draw(st.booleans()):
            # pandas has no index of float16.
            values = labelled_values((dims[dim],)).filter(lambda array: array.dtype.char != "e")
            made[dim] = ((dim,), draw(values), draw(ATTRIBUTES))
    for name in draw(st.lists(NAMES, max_size=3)):
        if name not in dims:
            made[name] = draw(variables(dims))
    return made


DIMS = st.dictionaries(NAMES, st.integers(0, 4), max_size=3)


@st.composite
def data_arrays(draw):
    dims = draw(DIMS)
    order = list(dims)
    name = draw(st.one_of(st.none(), NAMES, st.sampled_from(["x", "a/b"])))
    values = draw(labelled_values([dims[dim] for dim in order]))
    return xr.DataArray(values, draw(coordinates(dims)), order, name=name, attrs=draw(ATTRIBUTES))


@st.composite
def datasets(draw):
    dims = draw(DIMS)
    made = draw(coordinates(dims))
    names = [name for name in draw(st.lists(NAMES, max_size=4)) if name not in made and name not in dims]
    return xr.Dataset({name: draw(variables(dims)) for name in names}, made, draw(ATTRIBUTES))


SCALARS = st.one_of(
    st.integers(-2**63, 2**64 - 1), st.floats(), st.booleans(), st.complex_numbers(), TEXTS,
    st.lists(st.floats(width=16), max_size=5), arrays_of.arrays(PLAIN, ()).map(lambda array: array[()]),
)
RESULTS = st.one_of(SCALARS, plain_arrays(), plain_arrays(), data_arrays(), data_arrays(), datasets())
IDENTIFIERS = st.text(st.characters(categories=["L", "Nd"]), max_size=4)


def results(count, seed):
    """Variable → result."""
    found = {}

    @seeded(seed)
    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(IDENTIFIERS, RESULTS)
    def keep(name, result):
        name = f"v{len(found)}{name}"
        found[name if name.isidentifier() and not keyword.iskeyword(name) else f"v{len(found)}"] = result

    keep()
    return found
