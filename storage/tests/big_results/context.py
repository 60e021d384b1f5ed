"""Results that are too large to be held twice."""
import numpy as np
import xarray as xr
from damnit_ctx import Variable

SHAPE = (16, 1024, 1024)


def numbers(count, dtype="<f8"):
    made = np.arange(count, dtype=dtype)
    made %= 1009
    return made


@Variable
def plain(run):
    return numbers(16 << 20).reshape(SHAPE)


@Variable
def turned(run):
    return numbers(4 << 20).reshape(1024, 4096).T


@Variable
def labelled(run):
    frames = numbers(8 << 20, "<f4").reshape(8, 1024, 1024)[:, :999]
    return xr.DataArray(frames, dims=("train", "y", "x"), coords={"train": np.arange(8)})


@Variable
def line(run):
    values = numbers(2 << 20)
    values[12345] = -7
    return values


@Variable
def peak(run):
    """The memory that this process has had at most so far, in bytes."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
