"""Submits results from outside a job, as users do from a notebook.

    submit_result.py DIR PROPOSAL RUN

The broker is that of AMORE_BROKER; with `none` the fragment is left for the combiner to find.
"""
import sys
from pathlib import Path

import numpy as np
from damnit.api import submit
from damnit.context import Cell


def main(folder, proposal, run):
    (Path(folder) / "extracted_data").mkdir(exist_ok=True)
    submit(
        proposal, run,
        {
            "fit_width": Cell(np.float64(2.5), units="mm", bold=True),
            "fit_curve": np.linspace(0, 1, 50) ** 2,
        },
        provenance="notebook",
        errors={"fit_depth": ValueError("the fit did not converge")},
        damnit_dir=folder,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
