"""Writes a fragment that crashes whoever copies it: a variable of so many groups within each other that there is no end
to the calls of a function by itself.

    deep_fragment.py FILE
"""
import os
import sys

import h5py

DEPTH = 20_000


def main():
    draft = sys.argv[1] + ".draft"
    with h5py.File(draft, "w") as file:
        file[".reduced/deep"] = 2.5
        group = file.create_group("deep")
        for _ in range(DEPTH):
            group = group.create_group("in")
    os.rename(draft, sys.argv[1])


if __name__ == "__main__":
    main()
