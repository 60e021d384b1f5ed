"""Which variable depends on which, and the order that follows. Everything here takes linear time."""
import fnmatch


def is_pattern(name):
    return any(character in name for character in "*?[")


def matching(names, wanted):
    """The members of `names` that a name or pattern means, case-sensitively."""
    if is_pattern(wanted):
        return [name for name in names if fnmatch.fnmatchcase(name, wanted)]
    return [wanted] if wanted in names else []


def direct_dependencies(variables):
    """Name → its direct dependencies, and the (name, annotation) pairs that match no variable."""
    dependencies, unmatched = {}, []
    for name, variable in variables.items():
        found = {}
        for wanted in variable.annotated("var#").values():
            matches = matching(variables, wanted)
            found.update(dict.fromkeys(matches))
            if not matches:
                unmatched.append((name, wanted))
        dependencies[name] = list(found)
    return dependencies, unmatched


def ordered(dependencies):
    """The names, dependencies first and otherwise as they come; and one cycle (a list of names), if any."""
    order, finished = [], set()
    for start in dependencies:
        cycle = _visit(start, dependencies, finished, order)
        if cycle:
            return order, cycle
    return order, None


def _visit(start, dependencies, finished, order):
    """Appends `start` and what it needs to `order`; an explicit stack, since chains can be long."""
    if start in finished:
        return None
    path = {start: iter(dependencies[start])}
    while path:
        name = next(reversed(path))
        following = next((step for step in path[name] if step not in finished), None)
        if following is None:
            del path[name]
            finished.add(name)
            order.append(name)
        elif following in path:
            walked = list(path)
            return walked[walked.index(following):] + [following]
        else:
            path[following] = iter(dependencies[following])
    return None


def promote(variables, dependencies, order):
    """Passes `proc` and `cluster` on from dependencies to dependents."""
    for name in order:
        variable = variables[name]
        needs = [variables[needed] for needed in dependencies[name]]
        if variable.declared_data is None and any(need.declared_data == "proc" for need in needs):
            variable.declared_data = "proc"
        variable.cluster = bool(variable.cluster) or any(need.cluster for need in needs)
