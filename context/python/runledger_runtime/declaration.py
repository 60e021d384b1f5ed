"""Everything that can be wrong with the variables of a context file, reported at once."""
from . import graph

RESERVED = ("proposal", "run", "start_time", "added_at", "comment")
MYMDC_FIELDS = ("run_type", "sample_name", "techniques")


def problem(message, place=(None, None)):
    return {"message": message, "file": place[0], "line": place[1]}


def examine(variables):
    """Resolves and promotes `variables`; returns (dependencies, order, problems)."""
    dependencies, unmatched = graph.direct_dependencies(variables)
    order, cycle = graph.ordered(dependencies)
    problems = [each for variable in variables.values() for each in _own_problems(variable)]
    problems += [_unmatched(variables[name], wanted) for name, wanted in unmatched]
    problems += _shared_titles(variables)
    if cycle:
        return dependencies, order, problems + [_cycle(variables, cycle)]
    graph.promote(variables, dependencies, order)
    return dependencies, order, problems + _raw_on_proc(variables, dependencies)


def _own_problems(variable):
    checks = (_name, _data, _tags, _units, _mymdc)
    return [problem(text, variable.place()) for check in checks for text in check(variable)]


def _name(variable):
    name = variable.name
    if not all(part.isidentifier() for part in name.split(".")):
        yield f"The variable name {name!r} is not an identifier (or identifiers joined by dots)"
    if name in RESERVED:
        yield f"The variable name {name!r} is reserved"
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        yield f"The variable name {name!r} cannot be written in UTF-8"


def _data(variable):
    if variable.declared_data not in (None, "raw", "proc"):
        yield f"data={variable.declared_data!r} for variable {variable.name} (can be 'raw' or 'proc')"


def _tags(variable):
    tags = variable.tags
    good = tags is None or (
        isinstance(tags, tuple) and all(isinstance(tag, str) and tag for tag in tags)
    )
    if not good:
        yield f"tags={tags!r} for variable {variable.name} (must be a non-empty string or several)"


def _units(variable):
    units = variable.units
    if not (units is None or (isinstance(units, str) and units)):
        yield f"units={units!r} for variable {variable.name} (must be a non-empty string)"


def _mymdc(variable):
    for argument, field in variable.annotated("mymdc#").items():
        if field not in MYMDC_FIELDS:
            known = ", ".join(MYMDC_FIELDS)
            yield (f"Argument {argument!r} of variable {variable.name} asks for the unknown metadata "
                   f"'mymdc#{field}' (can be {known})")


def _unmatched(variable, wanted):
    what = "no variable matches the pattern" if graph.is_pattern(wanted) else "there is no variable"
    return problem(f"Missing dependency of variable {variable.name}: {what} {wanted!r}", variable.place())


def _shared_titles(variables):
    by_title = {}
    for name, variable in variables.items():
        by_title.setdefault(str(variable.title), []).append(name)
    return [
        problem(f"These variables share the title {title!r}: {', '.join(names)}", variables[names[-1]].place())
        for title, names in by_title.items()
        if len(names) > 1
    ]


def _cycle(variables, cycle):
    return problem(f"These variables depend on each other in a circle: {' → '.join(cycle)}",
                   variables[cycle[0]].place())


def _raw_on_proc(variables, dependencies):
    found = []
    for name, variable in variables.items():
        needs = [need for need in dependencies[name] if variables[need].declared_data == "proc"]
        if variable.declared_data == "raw" and needs:
            text = (f"Variable {name} is declared with data='raw', but depends on variables that "
                    f"need proc data: {', '.join(needs)}. Remove data='raw', or make it 'proc'")
            found.append(problem(text, variable.place()))
    return found
