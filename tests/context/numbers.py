"""Numbers and texts."""
import numpy as np
from damnit_ctx import Skip, Variable


@Variable(title="Whole")
def whole(run):
    return 42


@Variable(title="Real", units="mJ")
def real(run):
    return np.float32(1.25)


@Variable(title="Not a number")
def not_a_number(run):
    return float("nan")


@Variable
def infinite(run):
    return float("-inf")


@Variable
def third(run):
    return 1 / 3


@Variable
def half_precision(run):
    return np.float16(0.1)


@Variable
def long_whole(run):
    return -2**63


@Variable
def unsigned(run):
    return np.uint64(2**63 - 1)


@Variable
def byte(run):
    return np.uint8(255)


@Variable(title="Yes")
def yes(run):
    return True


@Variable
def no(run):
    return np.bool_(False)


@Variable(title="Complex")
def complex_number(run):
    return 3 - 4j


@Variable
def complex_single(run):
    return np.complex64(1 + 2j)


@Variable
def without_dimensions(run):
    return np.array(2.5, dtype=">f8")


@Variable(title="Text", description="Words", tags=["said", "done"])
def text(run, number: "meta#run_number", proposal: "meta#proposal"):
    return f"p{proposal}, run {number}: schön, 東京 🔬"


@Variable(tags="long")
def long_text(run):
    return "word – " * 5000


@Variable
def lines(run):
    return "one\ntwo\t\"three\"\\"


@Variable
def no_text(run):
    return ""


@Variable(title="Nothing")
def none_at_all(run):
    return None


@Variable
def no_result_type(run):
    return {"a": 1}


@Variable
def any_object(run):
    return object()


@Variable(title="Not today")
def not_today(run):
    raise Skip("nicht heute: 明日")
