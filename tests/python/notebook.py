"""Evaluates a pipeline as a notebook does, and saves what it comes to.

    notebook.py DIR PROPOSAL RUN [damnit]

With `damnit`, results are then submitted with the real package as well, in the same process.
"""
import sys

from damnit_ctx import Pipeline, Skip, Variable


@Variable(title="Width", units="mm")
def width(run):
    return run["width"]


@Variable
def area(run, width: "var#width"):
    return width ** 2


@Variable
def height(run):
    raise Skip("nothing to see")


def main(folder, proposal, run):
    pipe = Pipeline(proposal, run, data={"width": 2.5}).add(width, area, height)
    results = pipe.execute()
    print(results.save(folder, proposal, run))


def submit(folder, proposal, run):
    import damnit
    from damnit.context import Cell

    damnit.submit(proposal, run, {"submitted": Cell(7)}, provenance="fit", damnit_dir=folder)


if __name__ == "__main__":
    place = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    main(*place)
    if sys.argv[4:] == ["damnit"]:
        submit(*place)
