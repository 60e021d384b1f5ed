"""One array of 2 GB."""
import numpy as np

from damnit_ctx import Variable


@Variable(title="Frames")
def frames(run):
    return np.ones((250, 1000, 1000))
