"""What a worker has imported: a warm Python imports the same, as long as nothing of it has changed."""
import importlib
import importlib.util
import os
import sys


def described(folder, environment):
    """Names and files of what is imported; `own` are the files in the database's folder.

    `environment` is what `os.environ` was at the beginning. `unfit` says why nobody may import beforehand.
    """
    modules, own = [], [os.path.join(folder, "context.py")]
    for name, module in list(sys.modules.items()):
        file = _file(module)
        if file is not None and _is_below(file, folder):
            own.append(file)
        elif name != "__main__":
            modules.append((name, file))
    return {"modules": modules, "own": own, "unfit": _changed(environment)}


def _file(module):
    # Anything can be in sys.modules.
    file = getattr(module, "__file__", None)
    return os.path.abspath(file) if isinstance(file, str) else None


def _is_below(file, folder):
    return os.path.realpath(file).startswith(os.path.realpath(folder) + os.sep)


def _changed(environment):
    now = dict(os.environ)
    changed = sorted(name for name in {*now, *environment} if now.get(name) != environment.get(name))
    if not changed:
        return None
    return f"the context file, or what it imports, changes the environment ({', '.join(changed)})"


class Imports:
    """The imports of an earlier job, done again in this process: `modules` and `own` as `described` says."""

    def __init__(self, modules, own, folder):
        files = [file for _, file in modules if file is not None]
        self._folder = folder
        # Stamped before they are imported: who changes one meanwhile is noticed.
        self._stamps = {path: _stamp(path) for path in [*own, *files, sys.executable, *self._searched()]}
        before = set(sys.modules)
        _import_all(modules)
        self._files = dict(modules)
        self._new = [name for name in sys.modules if name not in before]

    def unfit(self):
        """Why these imports differ from those of the job, or None."""
        for name in self._new:
            if _file(sys.modules[name]) != self._files.get(name, ""):
                return f"the module {name} is another one than in the job"
        threading = sys.modules.get("threading")
        if threading is not None and threading.active_count() > 1:
            return "an import starts threads"
        return None

    def outdated(self):
        """What has changed since then, or None."""
        for path, stamp in self._stamps.items():
            if _stamp(path) != stamp:
                return f"{path} has changed"
        tops = {name.partition(".")[0] for name in self._new}
        for entry in os.listdir(self._folder):
            if entry.partition(".")[0] in tops:
                return f"{entry} in the database's folder comes before the module of its name"
        return None

    def _searched(self):
        """The folders of `sys.path`; the database's own changes with every job."""
        return [path for path in sys.path if os.path.realpath(path or ".") != os.path.realpath(self._folder)]


def _stamp(path):
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _import_all(modules):
    """Imports what comes from the same files as before, in the same order."""
    for name, file in modules:
        if name in sys.modules:
            continue
        try:
            spec = importlib.util.find_spec(name)
            if spec is not None and _origin(spec) == file:
                importlib.import_module(name)
        except Exception:
            pass    # the job will import it, and say what is wrong with it


def _origin(spec):
    """A module's file, None for one that is built in."""
    return os.path.abspath(spec.origin) if spec.has_location and spec.origin else None
