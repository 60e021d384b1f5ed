"""`Pipeline`: variables that are put together, selected and evaluated by the users' own code."""
from collections.abc import Sequence

from . import collection, default_pipeline, execution, pipeline_variables
from .failures import GroupError
from .group import is_group
from .pipeline_context import ContextFile
from .pipeline_variables import joined
from .variable import RunData, Variable


class Pipeline:
    """Variables and groups, and the run that they are evaluated for.

    `data` is what their functions get; without it the run is opened. `run_data` RAW opens its raw data only.
    `param_values` are the values of `param#` arguments.
    """

    def __init__(self, proposal=None, run_number=None, *, name=None, data=None, run_data=None,
                 param_values=None, _context=None):
        self.proposal = proposal
        self.run_number = run_number
        self.data = data
        self.run_data = _part(run_data)
        self.param_values = dict(param_values or {})
        self._name = name
        self._context = _context
        self._results = None

    @classmethod
    def from_context_file(cls, path, *, name=None):
        """The pipeline of a context file."""
        return cls(name=name, _context=ContextFile.from_py_file(path))

    @classmethod
    def from_str(cls, code, *, path="<string>", name=None):
        """The pipeline of a context file's text; `path` is what tracebacks call it."""
        return cls(name=name, _context=ContextFile.from_str(code, path))

    @classmethod
    def default(cls):
        """In a context file: the pipeline to which the file's own variables will be added."""
        default = default_pipeline.current()
        if default.pipeline is None:
            default.pipeline = cls(name="default")
        return default.pipeline

    @classmethod
    def set_default(cls, pipeline):
        """In a context file: makes `pipeline` all that it has. Its variables count, not its run and parameters."""
        if not isinstance(pipeline, cls):
            raise TypeError(f"Pipeline.set_default takes a Pipeline, not {type(pipeline)}")
        default = default_pipeline.current()
        default.pipeline, default.alone = pipeline, True
        return pipeline

    @property
    def name(self):
        """As given, else made from parameters, run and variables."""
        if self._name is not None:
            return self._name
        import hashlib

        variables = () if self._context is None else self._context.variables
        parts = [*self.param_values, str(self.proposal), str(self.run_number), *variables]
        return hashlib.sha256("|".join(parts).encode("utf-8")).hexdigest()[:12]

    @property
    def context(self):
        """The variables, checked and in order."""
        if self._context is None:
            self._context = ContextFile({})
        return self._context

    @property
    def vars(self):
        """Name → Variable."""
        return self.context.variables

    @property
    def results(self):
        """The `Results` of the last execution, None before one and after `add`."""
        return self._results

    def vars_to_dict(self, inc_transient=False):
        """Name → title, description and tags."""
        return pipeline_variables.described(self.vars, inc_transient)

    def copy(self):
        """Another pipeline with the same variables and run; it has no results, and looks at all of the data."""
        return Pipeline(self.proposal, self.run_number, name=self._name, data=self.data,
                        param_values=self.param_values, _context=self._context)

    def with_context(self, *, name=None, proposal=None, run_number=None, run_data=None, data=None,
                     param_values=None):
        """A copy for another run; None leaves things as they are."""
        changed = self.copy()
        changes = {"_name": name, "proposal": proposal, "run_number": run_number, "data": data}
        for attribute, value in changes.items():
            if value is not None:
                setattr(changed, attribute, value)
        if run_data is not None:
            changed.run_data = _part(run_data)
        if param_values is not None:
            changed.param_values = dict(param_values)
        return changed

    def add(self, *items):
        """Adds Variables, groups, dicts of them (the keys name groups that have no name), and sequences of these."""
        named = {}
        for item in items:
            _flatten(item, None, named)
        self._replace(joined(self.vars, _own_variables(named)))
        return self

    def union(self, other, *, on_conflict="error"):
        """A new pipeline with the variables of both, for the run of this one.

        Where two different variables have one name, `on_conflict` says which counts: "left" is that of this
        pipeline, "right" the other's, and "error" neither.
        """
        if not isinstance(other, Pipeline):
            raise TypeError(f"Pipeline.union takes a Pipeline, not {type(other)}")
        if on_conflict not in ("error", "left", "right"):
            raise ValueError(f"on_conflict={on_conflict!r} (can be 'error', 'left' or 'right')")
        united = self.copy()
        united._replace(joined(self.vars, other.vars, on_conflict))
        return united

    def select(self, *, variables=(), match=(), run_data=None, cluster=None):
        """A new pipeline with some of the variables, and what these need.

        `variables` are exact names and override `match`, parts of titles (any case). `run_data`: those that
        need this data. `cluster`: only those for a whole node (True), or only the others (False).
        """
        is_picked = pipeline_variables.selection(variables, match, _part(run_data), cluster)
        context = self.context
        chosen = self.copy()
        chosen._replace(pipeline_variables.selected(context.variables, context.dependencies, is_picked))
        return chosen

    def execute(self, *, data=None, param_values=None):
        """Evaluates the variables and returns `Results`; what is given here goes before the pipeline's own."""
        if self.proposal is None or self.run_number is None:
            raise ValueError("proposal and run_number of the pipeline are not set: give them to Pipeline(…) "
                             "or .with_context(…)")
        self._results = execution.execute(
            self.context, self.proposal, self.run_number,
            params={**self.param_values, **dict(param_values or {})},
            data=self.data if data is None else data,
            opened="raw" if self.run_data is RunData.RAW else "all",
            label=self.name,
        )
        return self._results

    def _replace(self, variables):
        self._context = ContextFile(variables, self.context.code)
        self._results = None


def _part(run_data):
    return RunData.ALL if run_data is None else RunData(run_data)


def _flatten(item, key, named):
    """Collects Variables and groups in `named`, a dict like a context file's: key → item."""
    if isinstance(item, Variable) or is_group(item):
        if key is None and getattr(item, "name", None) is None and is_group(item):
            raise GroupError(f"a group of {type(item).__name__!r} has no name: give it one with name=…, or add "
                             "it in a dict, {name: group}")
        # A name that is no name, for what is not called anything, or by a name that is taken.
        free = key if isinstance(key, str) and key not in named else f"<{len(named)}>"
        named[free] = item
    elif isinstance(item, dict):
        for name, value in item.items():
            _flatten(value, name, named)
    elif isinstance(item, Sequence) and not isinstance(item, (str, bytes, bytearray)) and key is None:
        for value in item:
            _flatten(value, None, named)
    else:
        raise TypeError("Pipeline.add takes Variables, groups, dicts of them, and sequences of these, "
                        f"not {type(item)}")


def _own_variables(named):
    """Name → Variable of collected items; two different ones by one name are an error here."""
    plain, groups = {}, {}
    for key, item in named.items():
        if isinstance(item, Variable):
            plain = joined(plain, _by_name(item))
        else:
            groups[key] = item
    return joined(plain, collection.variables(groups))


def _by_name(variable):
    if variable.func is None:
        raise TypeError(f"the Variable with the title {variable.title!r} has no function: it decorates none")
    return {variable.name: variable}
