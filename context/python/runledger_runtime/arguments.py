"""Fills the arguments of a variable's function by their annotations."""
import sys

from . import graph


class MissingDependencies(Exception):
    """Arguments without a default whose variables gave nothing: their names."""

    def __init__(self, names):
        super().__init__(names)
        self.names = names


class MissingParameters(Exception):
    """Arguments without a default for which the job has no parameter: their names."""

    def __init__(self, names):
        super().__init__(names)
        self.names = names


class _Absent(Exception):
    """Nothing is there for an argument: what it asked for, by name."""

    def __init__(self, names):
        super().__init__(names)
        self.names = names


class Arguments:
    """What a job knows: the run, the parameters, and the results so far."""

    def __init__(self, request, run, results):
        self._selected = {name: place for place, name in enumerate(request["selected"])}
        self._parameters = request["params"]
        self._results = results
        self._number = (request["proposal"], request["run"])
        self._metadata = None
        self._meta = {
            "proposal": lambda: request["proposal"],
            "run_number": lambda: request["run"],
            "proposal_path": lambda: proposal_path(run),
        }

    def of(self, variable):
        """Argument → value; absent where the default applies."""
        filled, missing = {}, {"var": [], "param": []}
        for name, annotation, has_default in variable.parameters():
            kind, _, wanted = annotation.partition("#")
            try:
                filled[name] = self._value(kind, wanted, annotation, variable)
            except _Absent as absent:
                missing[kind].extend([] if has_default else absent.names)
        if missing["var"]:
            raise MissingDependencies(missing["var"])
        if missing["param"]:
            raise MissingParameters(missing["param"])
        return filled

    def _value(self, kind, wanted, annotation, variable):
        if kind == "var" and wanted:
            return self._result(wanted)
        if kind == "param" and wanted:
            return self._parameter(wanted)
        if kind == "mymdc" and wanted:
            return self._mymdc(wanted)
        if kind == "meta" and wanted in self._meta:
            return self._meta[wanted]()
        raise RuntimeError(f"Unknown path {annotation!r} for variable {str(variable.title)!r}")

    def _result(self, wanted):
        if wanted in self._results:
            return self._results[wanted]
        matches = graph.matching(self._results, wanted)
        if not matches:
            raise _Absent(graph.matching(self._selected, wanted))
        # However they came: `start_time`, then in the order of evaluation one by one.
        return {name: self._results[name] for name in sorted(matches, key=self.place)}

    def place(self, name):
        """From 0, in the order of evaluation one by one; what was there before all has -1."""
        return self._selected.get(name, -1)

    def _parameter(self, wanted):
        if wanted not in self._parameters:
            raise _Absent([wanted])
        return self._parameters[wanted]

    def _mymdc(self, wanted):
        if self._metadata is None:
            proposal, run = self._number
            self._metadata = _metadata_service(proposal)[run]
        return getattr(self._metadata, wanted)()


def _metadata_service(proposal):
    try:
        import extra_proposal
    except ImportError as error:
        raise ModuleNotFoundError(
            "mymdc# arguments need the package extra_proposal in the Python of the context file "
            f"({error})", name="extra_proposal",
        ) from error
    return extra_proposal.Proposal(proposal)


def is_data_collection(run):
    """Whether `run` was opened by `extra_data`."""
    extra_data = sys.modules.get("extra_data")
    return extra_data is not None and isinstance(run, extra_data.DataCollection)


def proposal_path(run):
    """The proposal's folder: three levels above the run's first file; '' where there are no files."""
    if not is_data_collection(run):
        return ""
    from pathlib import Path    # extra_data has imported it

    return Path(*Path(run.files[0].filename).parts[:-3])
