"""Why a variable has no value, and how the chain of causes is told."""
import sys

# Longer messages are cut: a table cell is no place for megabytes.
LONGEST_MESSAGE = 100_000


class Skip(Exception):
    """Raised by users to leave a variable out on purpose."""


class GroupError(Exception):
    """Groups or variables that do not go together, or have no name.

    `problems`: all of them, where there may be several, each as (message, (file, line)).
    """

    problems = ()


class DependencyError(RuntimeError):
    """A variable did not run because of what it depends on."""

    def __init__(self, causes):
        self.causes = list(causes)
        super().__init__(describe_causes(self.causes))


def describe_causes(causes):
    """The text of a chain: a tree of (name, exception) pairs."""
    lines = ["Skipped due to missing dependency:"]
    # (name, exception, indentation, is it the last of its siblings), deepest chains included.
    pending = _siblings(causes, "")
    while pending:
        name, error, indent, is_last = pending.pop()
        head = f"{indent}{'└' if is_last else '├'} ({name})"
        below = indent + ("   " if is_last else "│  ")
        if isinstance(error, DependencyError):
            lines.append(f"{head} skipped")
            pending.extend(_siblings(error.causes, below))
        else:
            first, *more = describe(error)
            lines.append(f"{head} failed: {first}")
            lines.extend(below + line for line in more)
    return "\n".join(lines)


def _siblings(causes, indent):
    last = len(causes) - 1
    found = [(name, error, indent, index == last) for index, (name, error) in enumerate(causes)]
    return found[::-1]


def describe(error):
    """The lines of an exception: `Class: message`, or the class alone."""
    name = type(error).__name__
    lines = message_of(error).splitlines()
    return [f"{name}: {lines[0]}", *lines[1:]] if lines else [name]


def message_of(error):
    """`str(error)`, whatever the users' class does."""
    try:
        text = str(error)
    except BaseException as why:
        text = f"<the message failed: {type(why).__name__}>"
    return shortened(text)


def shortened(text):
    """`text`, or its beginning where it is too long for a cell or a log."""
    cut = len(text) - LONGEST_MESSAGE
    return text if cut <= 0 else f"{text[:LONGEST_MESSAGE]}… ({cut} more characters)"


def storable_text(text):
    """`text` with what UTF-8 or a C string cannot hold (lone surrogates, NUL) written as an escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def missing(names, errors):
    """The exception of a variable whose dependencies `names` gave nothing; `errors`: name → exception."""
    causes = [(name, errors[name]) for name in names if name in errors]
    if not causes:
        listed = "".join(f"\n- {name!r}" for name in names)
        return Skip(f"Dependencies returned no data:{listed}")
    error = DependencyError(causes)
    if all(_is_absence(cause) for _, cause in causes):
        return Skip(str(error))
    return error


def earlier(name, text):
    """An exception that was raised in another process, by its class name and message."""
    # In a chain of causes these two count as nothing to look at, whoever raised them.
    base = Skip if name in ("Skip", "SourceNameError") else Exception
    return type(name, (base,), {})(text)


def _is_absence(error):
    """Whether an exception says no more than that there is nothing to look at."""
    exceptions = sys.modules.get("extra_data.exceptions")
    no_source = getattr(exceptions, "SourceNameError", Skip)
    return isinstance(error, (Skip, no_source))
