"""Arrays and lists."""
import numpy as np
from damnit_ctx import Variable


@Variable(title="Line", summary="mean")
def line(run):
    return np.linspace(0, 1, 50) ** 2


@Variable(title="Sparkline")
def sparkline(run):
    return np.sin(np.arange(5000) / 100)


@Variable
def large_line(run):
    noise = np.random.default_rng(1)
    return np.cumsum(noise.normal(size=300_000)).astype("f4")


@Variable
def gaps(run):
    values = np.sqrt(np.arange(1000.0))
    values[::7] = np.nan
    values[500] = np.inf
    return values


@Variable
def steps(run):
    return np.repeat([3, 1, 2], 200).astype("i2")


@Variable(title="Half")
def halves(run):
    return np.arange(4, dtype=np.float16)


@Variable
def complex_line(run):
    return np.exp(1j * np.linspace(0, 7, 400))


@Variable
def truths(run):
    return np.arange(12) % 3 == 0


@Variable
def as_list(run):
    return [1, 2.5, 3]


@Variable
def nested_list(run):
    return [[1, 2], [3, 4]]


@Variable
def texts(run):
    return ["a", "schön"]


@Variable
def bytes_of_fixed_length(run):
    return np.array([b"ab", b"c"])


@Variable
def ragged_list(run):
    return [[1], [2, 3]]


@Variable
def times(run):
    return np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[ns]")


@Variable
def no_elements(run):
    return np.zeros(0)


@Variable
def one_element(run):
    return np.array([7])


@Variable
def no_rows(run):
    return np.zeros((0, 5), dtype="u2")


@Variable
def fields(run):
    return np.array([(1, 2.5), (3, 4.5)], dtype=[("n", "i4"), ("x", "f8")])


@Variable(title="Big endian")
def big_endian(run):
    return np.arange(6, dtype=">i2").reshape(2, 3)


@Variable
def every_second(run):
    return np.arange(40.0).reshape(4, 10)[::2, ::-3]


@Variable(title="Picture")
def small_picture(run):
    return np.arange(600.0).reshape(20, 30)


@Variable
def large_picture(run):
    rows, columns = np.indices((1200, 900))
    return np.exp(-((rows - 400) ** 2 + (columns - 600) ** 2) / 9e4).astype("f4")


@Variable
def very_large_picture(run):
    along = np.sin(np.linspace(0, 6, 2100, dtype="f4"))
    return np.outer(along, along)


@Variable
def counts(run):
    return np.random.default_rng(2).poisson(3, (128, 512)).astype("u2")


@Variable
def tall_picture(run):
    return np.arange(1500, dtype="i8").reshape(500, 3)


@Variable
def picture_with_gaps(run):
    values = np.hypot(*np.indices((64, 48)))
    values[10:20, 5:9] = np.nan
    values[0, 0] = np.inf
    return values


@Variable
def flat_picture(run):
    return np.full((10, 10), 3.5)


@Variable
def picture_of_truths(run):
    return np.indices((4, 6)).sum(axis=0) % 2 == 0


@Variable
def complex_picture(run):
    return np.arange(6).reshape(2, 3) * (1 + 1j)


@Variable(title="Cube")
def cube(run):
    return np.zeros((2, 3, 4), dtype=np.uint16)


@Variable(summary="nanmax")
def four_dimensions(run):
    return np.arange(16, dtype="f4").reshape(2, 2, 2, 2)


@Variable(summary="no_such_function")
def wrong_summary(run):
    return np.arange(300)
