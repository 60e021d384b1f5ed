"""Finds the variables among the values of a context file."""
from .variable import Variable


def variables(namespace):
    """Name → Variable of what `namespace` (name → value) declares; of two with one name the last counts."""
    return {value.name: value for value in namespace.values() if _is_declared(value)}


def _is_declared(value):
    return isinstance(value, Variable) and value.func is not None
