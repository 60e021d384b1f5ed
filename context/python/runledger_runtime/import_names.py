"""Makes `damnit.context` mean our `damnit_ctx`, whether or not the `damnit` package is installed.

The finders and loaders have no base class: importing `importlib.abc` would take as long as all the rest.
"""
import sys
from importlib.machinery import ModuleSpec

OURS = "damnit.context"


class _Ready:
    """Hands out a module that exists already."""

    def __init__(self, module):
        self.module = module
        self.spec = getattr(module, "__spec__", None)

    def create_module(self, spec):
        return self.module

    def exec_module(self, module):
        # Importing under a second name has overwritten these: pickling and reloading need the first.
        module.__spec__ = self.spec
        module.__name__ = "damnit_ctx"


class _EmptyPackage:
    """A package that holds nothing but what other finders put below it."""

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__path__ = []


class ContextFinder:
    """Finds `damnit.context` before anybody else does."""

    def find_spec(self, name, path=None, target=None):
        if name != OURS:
            return None
        import damnit_ctx

        return ModuleSpec(name, _Ready(damnit_ctx))


class PackageFinder:
    """Finds `damnit` after everybody else has failed to."""

    def find_spec(self, name, path=None, target=None):
        if name != "damnit":
            return None
        return ModuleSpec(name, _EmptyPackage(), is_package=True)


def install():
    """From now on, as long as this process lives. What was imported under these names before stays as it is."""
    if not any(isinstance(finder, ContextFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, ContextFinder())
        sys.meta_path.append(PackageFinder())
