"""The variables of groups: those of their classes, once for each instance."""
import copy
import functools

from . import group_links, group_names
from .failures import GroupError
from .group import raise_all
from .group_class import checked_tags
from .variable import Variable


def of_namespace(namespace, known):
    """Name → Variable of all groups in `namespace`, and of what stands for their missing parts.

    `known` are the names that other variables have. Raises a GroupError with all that is wrong.
    """
    group_names.name_all(namespace)
    found, problems = {}, []
    for group in group_names.all_groups(namespace):
        for variable in _of_group(group):
            _resolve(variable, group, found, problems)
            if variable.name in known or variable.name in found:
                problems.append((f"Two variables have the name {variable.name!r}, one of them from the group "
                                 f"{group.name!r}. Rename the other one, or the group: name=…", variable.place()))
            found[variable.name] = variable
    raise_all(problems)
    return found


def _of_group(group):
    """The group's own copies of its classes' variables, base classes first; of two with one name the last counts."""
    declared = {}
    for cls in reversed(type(group).__mro__):
        own = vars(cls).items()
        declared.update((name, value) for name, value in own if isinstance(value, Variable) and value.func)
    return {variable.name: _bound(variable, group) for variable in declared.values()}.values()


def _bound(variable, group):
    bound = copy.copy(variable)
    bound.func = variable.func.__get__(group, type(group))
    bound.name = f"{group.name}.{variable.name}"
    bound.title = f"{_title(group)}{group.sep}{variable.title}"
    bound.tags = _tags(variable, group)
    return bound


def _title(group):
    return group.name if group.title is None else group.title


def _tags(variable, group):
    own = variable.tags or ()
    if not (isinstance(own, tuple) and all(isinstance(tag, str) for tag in own)):
        # The check of the whole file will say what is wrong with them.
        return own
    return tuple(sorted({*checked_tags(group.tags), *own}))


def _resolve(variable, group, found, problems):
    """Finds out what the links of a variable mean; what stands for missing parts is put into `found`."""
    variable.links = {}
    for path in variable.annotated("self#").values():
        try:
            link = group_links.resolved(group, path)
        except GroupError as error:
            problems.append((f"{variable.name} asks for 'self#{path}': {error}", variable.place()))
            continue
        if link.is_missing:
            found.setdefault(link.name, _placeholder(link.name))
        variable.links[f"self#{path}"] = f"var#{link.name}"


@functools.lru_cache(maxsize=None)
def _placeholder(name):
    """A variable that never has a value, so that what depends on it says which part is missing.

    Always the same one: several groups, and groups of several calls, may lack the same part.
    """
    return _Placeholder(name)


class _Placeholder(Variable):
    """A variable that no file declares."""

    def __init__(self, name):
        super().__init__(title=name, transient=True)
        self.name = name
        self.func = _nothing

    def place(self):
        return None, None


def _nothing(run):
    return None
