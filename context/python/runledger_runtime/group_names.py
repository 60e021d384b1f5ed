"""What groups are called: as they say, else like the variable that they are assigned to.

A group in a field of another one is called by the path to it; of several paths the shortest counts.
"""
from .group import is_group, raise_all

# Python does not say in which line an instance was made.
NOWHERE = (None, None)


def name_all(namespace):
    """Gives names and titles to the groups of `namespace` (name → value) and in their fields."""
    places = _places(namespace)
    for group, paths in places:
        if group.name is None and len(paths) == 1:
            group.name = paths[0]
        if group.title is None and group.name is not None:
            group.title = str(group.name).replace(".", group.sep)
    _check_ambiguity(places)


def all_groups(namespace):
    """The groups of `namespace` and in their fields, each once and with a name of its own.

    The last one comes first, as in DAMNIT: the columns of a table are in the order of the variables.
    """
    pending = [value for value in namespace.values() if is_group(value)]
    found = {}
    while pending:
        group = pending.pop()
        if id(group) not in found:
            found[id(group)] = group
            pending.extend(child for _, child in _fields(group))
    groups = list(found.values())
    _check_names(groups)
    return groups


def _fields(group):
    """The groups in the fields of a group, with the fields' names."""
    return [(name, value) for name, value in vars(group).items() if is_group(value)]


def _places(namespace):
    """[(group, its shortest paths)] of all groups that can be reached by names."""
    found = {}
    level = [
        (value.name or name, value)
        for name, value in namespace.items()
        if is_group(value) and (value.name or _is_public(name))
    ]
    while level:
        # The paths of one length; a group that has a shorter one is not visited again.
        here = {}
        for path, group in level:
            if id(group) not in found:
                here.setdefault(id(group), (group, []))[1].append(path)
        found.update(here)
        level = [
            (f"{group.name or paths[0]}.{field}", child)
            for group, paths in here.values()
            for field, child in _fields(group)
        ]
    return list(found.values())


def _is_public(name):
    # Neither Python's own names nor those under which a Pipeline keeps what is not called anything.
    return not name.startswith("__") and all(part.isidentifier() for part in name.split("."))


def _check_ambiguity(places):
    problems = [
        f"A group of class {type(group).__name__!r} is assigned to several names ({', '.join(sorted(paths))}). "
        "Give it the one that counts: name=…"
        for group, paths in places
        if group.name is None
    ]
    raise_all([(problem, NOWHERE) for problem in problems])


def _check_names(groups):
    problems, by_name = [], {}
    for group in groups:
        if not (isinstance(group.name, str) and group.name):
            problems.append(_bad_name(group))
        elif by_name.setdefault(group.name, group) is not group:
            problems.append(f"Several groups have the name {group.name!r}. Give each one of its own: name=…")
    raise_all([(problem, NOWHERE) for problem in problems])


def _bad_name(group):
    kind = type(group).__name__
    if group.name is None:
        return (f"A group of class {kind!r} has no name. Assign it to a variable of the context file, "
                "or to a field of a group; or give it one: name=…")
    return f"A group of class {kind!r} has the name {group.name!r}, which is none. Give it a text: name=…"
