"""The decorator `@Group`: a class whose methods are variables, once for each of its instances."""
from .failures import GroupError

# Every group has these fields, and says what they are when it is made, not in its class.
RESERVED = ("name", "title", "tags", "sep")


def Group(_cls=None, *, tags=None):
    """Makes a class a dataclass with keyword-only fields, whose methods may be Variables.

    Beside its own fields it has `name` (by default that of the variable which an instance is assigned to),
    `title` (by default the name), `tags` (by default those that are given here, or of the class that it
    inherits from) and `sep`, which stands between the title of the group and that of a variable.
    Arguments of its variables ask for the group's own ones by `self#variable`, and for those of another
    group in a field by `self#field.variable`.
    """
    if _cls is None:
        return lambda cls: _made(cls, tags)
    return _made(_cls, tags)


def _made(cls, tags):
    if not isinstance(cls, type):
        raise TypeError(f"@Group decorates a class, not {cls!r}")
    # Few files have groups: the others need not wait for the import of dataclasses.
    from . import group_class

    own = group_class.own_annotations(cls)
    reserved = [name for name in RESERVED if name in own or name in vars(cls)]
    if reserved:
        raise GroupError(
            f"The group class {cls.__name__!r} defines {', '.join(reserved)}: every group has these fields "
            f"already. Choose another name, or give the value to the instance: {cls.__name__}({reserved[0]}=…)"
        )
    return group_class.completed(cls, tags)


def is_group(value):
    """Whether `value` is an instance of a group class."""
    return hasattr(type(value), "__damnit_group__")


def raise_all(problems):
    """Raises a GroupError that tells all `problems`, pairs (message, (file, line)), if there are any."""
    if problems:
        error = GroupError("\n".join(_told(*problem) for problem in problems))
        error.problems = problems
        raise error


def _told(message, place):
    file, line = place
    return message if file is None else f"{file}:{line}: {message}"


class GroupVariable:
    """A variable of one group, as the attribute of the instance: for links, and for nothing else.

    The group may not have its name yet. It is no Variable, so that a context file which keeps one under
    a name of its own does not declare it twice.
    """

    def __init__(self, group, variable):
        self.group = group
        self.variable = variable

    @property
    def name(self):
        return f"{self.group.name}.{self.variable.name}"

    def __getattr__(self, attribute):
        # Unpickling asks for attributes before there are any.
        if attribute.startswith("__") or attribute == "variable":
            raise AttributeError(attribute)
        return getattr(self.variable, attribute)
