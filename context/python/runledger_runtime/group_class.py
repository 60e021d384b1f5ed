"""Makes a dataclass of a group's class. Only imported by who has groups, since `dataclasses` takes its time."""
import dataclasses
import sys

from .variable import several


def own_annotations(cls):
    """The annotations of the class itself."""
    if sys.version_info < (3, 10):
        # Its attribute may be that of a base class there.
        return vars(cls).get("__annotations__", {})
    return cls.__annotations__


def completed(cls, tags):
    """`cls` with the fields of every group, as a dataclass whose fields are given by keyword."""
    cls.__damnit_group__ = True
    cls.__annotations__ = dict(own_annotations(cls), name=str, title=str, tags=object, sep=str)
    cls.name = cls.title = None
    cls.tags = _inherited_tags(cls) if tags is None else checked_tags(tags)
    cls.sep = "/"
    cls.__post_init__ = _post_init(getattr(cls, "__post_init__", None))
    if sys.version_info < (3, 10):
        return _without_order(cls)
    return dataclasses.dataclass(kw_only=True)(cls)


def checked_tags(tags):
    """None, one tag or several, as a tuple."""
    found = several(tags) or ()
    if not (isinstance(found, tuple) and all(isinstance(tag, str) for tag in found)):
        raise TypeError(f"tags={tags!r} of a group (must be a string or several)")
    return found


def _inherited_tags(cls):
    bases = cls.__mro__[1:]
    return next((vars(base)["tags"] for base in bases if "__damnit_group__" in vars(base)), ())


def _post_init(users):
    def __post_init__(self, *given):
        self.tags = checked_tags(self.tags)
        if self.title is None:
            self.title = self.name
        if users is not None:
            users(self, *given)

    return __post_init__


def _without_order(cls):
    """A dataclass with keyword-only fields where `dataclasses` does not know them yet (Python 3.9)."""
    made = dataclasses.dataclass(init=False)(cls)
    if "__init__" not in vars(cls):
        cls.__init__ = _init(cls)
    return made


def _init(cls):
    every = cls.__dataclass_fields__.values()
    listed = [each for each in every if each._field_type is not dataclasses._FIELD_CLASSVAR]

    def __init__(self, **given):
        _check_names(cls, [each for each in listed if each.init], given)
        arguments = []
        for each in listed:
            value = _initial(each, given)
            if each._field_type is dataclasses._FIELD_INITVAR:
                arguments.append(value)
            elif value is not dataclasses.MISSING:
                setattr(self, each.name, value)
        self.__post_init__(*arguments)

    return __init__


def _check_names(cls, accepted, given):
    names = [each.name for each in accepted]
    unknown = [name for name in given if name not in names]
    if unknown:
        raise TypeError(f"{cls.__name__}() has no field {unknown[0]!r} (it has {', '.join(names)})")
    lacking = [each.name for each in accepted if each.name not in given and not _has_default(each)]
    if lacking:
        raise TypeError(f"{cls.__name__}() needs a value for {', '.join(lacking)}")


def _has_default(each):
    missing = dataclasses.MISSING
    return each.default is not missing or each.default_factory is not missing


def _initial(each, given):
    """The value of a field in a new instance, MISSING if there is none."""
    if each.name in given:
        return given[each.name]
    if each.default_factory is not dataclasses.MISSING:
        return each.default_factory()
    return each.default
