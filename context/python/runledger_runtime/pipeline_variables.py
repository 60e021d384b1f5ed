"""What a pipeline does with its variables (name → Variable): puts together, selects, describes."""
from .failures import GroupError
from .variable import RunData


def joined(left, right, on_conflict="error"):
    """The variables of both; where two have one name, `on_conflict` says whose counts: "left" or "right"."""
    together = dict(left)
    for name, variable in right.items():
        known = together.setdefault(name, variable)
        if known is not variable and on_conflict == "error":
            raise GroupError(f"Two different variables have the name {name!r}: rename one of them")
        if on_conflict == "right":
            together[name] = variable
    return together


def selected(variables, dependencies, wanted):
    """Those that `wanted(variable)` is true of and all that they need, in their order."""
    pending = [name for name, variable in variables.items() if wanted(variable)]
    found = set()
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(dependencies[name])
    return {name: variable for name, variable in variables.items() if name in found}


def selection(names, parts, run_data, cluster):
    """Whether a variable is picked, as a function: the rule by which jobs select.

    `names` are exact and override `parts` of titles (any case); `cluster` is None for both kinds.
    """
    names, parts = several(names), [part.lower() for part in several(parts)]

    def is_picked(variable):
        if run_data is not RunData.ALL and variable.data is not run_data:
            return False
        if cluster is not None and cluster != variable.cluster:
            return False
        if names:
            return variable.name in names
        title = str(variable.title or variable.name).lower()
        return not parts or any(part in title for part in parts)

    return is_picked


def several(texts):
    """One text or several as a tuple."""
    return (texts,) if isinstance(texts, str) else tuple(texts)


def described(variables, with_transient):
    """Name → what a run table says of a variable."""
    return {
        name: {
            "title": variable.title,
            "description": variable.description,
            "tags": variable.tags,
            "attributes": None,
            "type": None,
        }
        for name, variable in variables.items()
        if with_transient or not variable.transient
    }
