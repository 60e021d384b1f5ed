"""What a `self#path` of a group means."""
import re

from . import graph
from .failures import GroupError
from .group import GroupVariable, is_group
from .variable import Variable


class Link:
    """The name or pattern of a variable; where an optional part `is_missing`, of its placeholder."""

    def __init__(self, name, is_missing=False):
        self.name = name
        self.is_missing = is_missing


def resolved(group, path):
    """The Link of a path like `variable`, `field`, `field.variable` or `field.pattern*`; raises a GroupError."""
    *fields, last = path.split(".")
    for number, field in enumerate(fields):
        linked = _field(group, field)
        if linked is None:
            return _missing(group, ".".join([field, *fields[number + 1:], last]))
        _check_group(group, field, linked)
        group = linked
    return _last(group, last)


def _field(group, name):
    try:
        return getattr(group, name)
    except AttributeError as error:
        if graph.is_pattern(name):
            raise GroupError(f"{name!r} is a pattern, which can only be the last part") from None
        raise _absence(group, "field", name, error) from None


def _check_group(group, field, linked):
    if not is_group(linked):
        raise GroupError(f"the field {field!r} of {_called(group)} must hold a group, not {_kind(linked)}")
    if not linked.name:
        raise GroupError(f"the group in {field!r} of {_called(group)} has no name: give it one: name=…")


def _last(group, name):
    try:
        held = getattr(group, name)
    except AttributeError as error:
        if graph.is_pattern(name):
            return Link(f"{group.name}.{name}")
        raise _absence(group, "variable or field", name, error) from None
    if held is None:
        return _missing(group, name)
    if not isinstance(held, (Variable, GroupVariable)):
        raise GroupError(f"the field {name!r} of {_called(group)} must hold a Variable, not {_kind(held)}")
    return Link(held.name)


def _absence(group, what, name, error):
    if hasattr(type(group), name):
        # A property of the users' own.
        return GroupError(f"{name!r} of {_called(group)} cannot be read: {error}")
    return GroupError(f"{_called(group)} has no {what} {name!r}")


def _missing(group, path):
    # Not a pattern: the placeholder's name has to mean itself.
    return Link(f"{group.name}.__missing__.{re.sub(r'[][!?*]', '_', path)}", is_missing=True)


def _called(group):
    return f"the group {group.name!r} ({type(group).__name__})"


def _kind(value):
    return type(value).__name__
