"""What a context file imports; also known as `damnit.context`."""
from runledger_runtime.cell import Cell
from runledger_runtime.failures import Skip
from runledger_runtime.variable import RunData, Variable

__all__ = ["Cell", "RunData", "Skip", "Variable"]
