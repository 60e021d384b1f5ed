"""The decorator `@Variable`."""
import importlib
import inspect
from enum import Enum

from .group import GroupVariable, is_group


class RunData(Enum):
    """The part of a run's data."""

    RAW = "raw"
    PROC = "proc"
    ALL = "all"


class Variable:
    """A function whose result becomes a cell of the table.

    `title` and `description` default to the function's name and docstring. `summary` names a NumPy
    function. `data` is "raw" or "proc". `cluster` asks for a whole node. A `transient` result is used
    by other variables but not stored.
    """

    def __init__(self, title=None, description=None, summary=None, data=None,
                 cluster=False, tags=None, transient=False, units=None):
        function, title = (title, None) if callable(title) else (None, title)
        self.title = title
        self.description = description
        self.summary = summary
        self.declared_data = data
        self.cluster = cluster
        self.tags = several(tags)
        self.transient = transient
        self.units = units
        self.name = None
        self.func = None
        # In a group: "self#…" of an annotation → the "var#…" that it stands for.
        self.links = {}
        if function is not None:
            self(function)

    def __call__(self, function):
        self.func = function
        self.name = function.__name__
        if self.title is None:
            self.title = self.name
        if self.description is None:
            self.description = inspect.getdoc(function)
        return self

    def __get__(self, instance, owner):
        """The attribute of a class is the Variable itself, that of a group a link to the group's own one."""
        return GroupVariable(instance, self) if is_group(instance) else self

    def __copy__(self):
        made = object.__new__(type(self))
        vars(made).update(vars(self))
        return made

    def __deepcopy__(self, memo):
        return self.__copy__()

    def __reduce__(self):
        # Process pools get it by its name, as they get functions: under this name the file has no function.
        place = (self.func.__module__, self.func.__qualname__)
        if _declared(*place) is not self:
            raise TypeError(f"cannot pickle the variable {self.name!r}: it is not what its file calls "
                            f"{self.func.__qualname__!r}")
        return _declared, place

    @property
    def data(self):
        """The part of the data that it needs, "raw" unless declared otherwise or promoted."""
        return RunData.RAW if self.declared_data is None else RunData(self.declared_data)

    def parameters(self):
        """The arguments after the run that are filled by annotation: (name, annotation, has a default)."""
        # The first one gets the run, by position.
        listed = list(inspect.signature(self.func).parameters.values())[1:]
        notes = getattr(self.func, "__annotations__", {})
        found = [(parameter, notes.get(parameter.name)) for parameter in listed]
        return [
            (parameter.name, self.links.get(note, note), parameter.default is not parameter.empty)
            for parameter, note in found
            if isinstance(note, str)
        ]

    def annotated(self, prefix):
        """Argument → the rest of each annotation that begins with `prefix`."""
        return {name: note[len(prefix):] for name, note, _ in self.parameters() if note.startswith(prefix)}

    def place(self):
        """File and first line of the function, None where Python does not say."""
        code = getattr(inspect.unwrap(self.func), "__code__", None)
        return getattr(code, "co_filename", None), getattr(code, "co_firstlineno", None)


def _declared(module, path):
    """What a module calls `path`, None if nothing."""
    found = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


def several(tags):
    """One tag or several as a tuple; anything else stays as it is, for the check to name it."""
    if isinstance(tags, str):
        return (tags,)
    try:
        return None if tags is None else tuple(tags)
    except TypeError:
        return tags
