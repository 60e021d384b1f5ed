"""One number."""
from damnit_ctx import Variable


@Variable(title="Answer")
def answer(run):
    return 42
