"""The part of Runledger that runs in the users' interpreter: it declares variables and calls functions.

It needs the standard library and NumPy. Other packages are looked up among the modules that the
users' code has imported, never imported for their own sake.
"""
import sys


def is_loaded_instance(value, module, name):
    """Whether `value` is a `module.name`, without importing `module`."""
    loaded = sys.modules.get(module)
    kind = getattr(loaded, name, None)
    return isinstance(kind, type) and isinstance(value, kind)
