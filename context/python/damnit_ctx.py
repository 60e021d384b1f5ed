"""What a context file imports; also known as `damnit.context`."""
from runledger_runtime import import_names
from runledger_runtime.cell import Cell
from runledger_runtime.failures import GroupError, Skip
from runledger_runtime.variable import RunData, Variable

__all__ = ["Cell", "Group", "GroupError", "Pipeline", "RunData", "Skip", "Variable"]

# What few files need is read when it is asked for: the start of a job is waited for.
_LATER = {
    "ContextFile": "pipeline_context",
    "ContextFileErrors": "pipeline_context",
    "Group": "group",
    "Pipeline": "pipeline",
    "Results": "results",
    "save_fragment": "results",
}


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"runledger_runtime.{_LATER[name]}"), name)
    globals()[name] = found
    return found


import_names.install()
