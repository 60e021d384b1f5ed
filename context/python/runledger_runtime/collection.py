"""Finds the variables among the values of a context file."""
from .group import is_group
from .variable import Variable


def variables(namespace):
    """Name → Variable of what `namespace` (name → value) declares; of two with one name the last counts.

    The names of the namespace are given to the groups in it that have none. Raises a GroupError.
    """
    found = {value.name: value for value in namespace.values() if _is_declared(value)}
    if any(is_group(value) for value in namespace.values()):
        from . import group_variables

        found.update(group_variables.of_namespace(namespace, found))
    return found


def _is_declared(value):
    return isinstance(value, Variable) and value.func is not None
