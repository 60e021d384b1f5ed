"""Exceptions of all kinds, and what is told of them to those that need the variable."""
from damnit_ctx import Skip, Variable


@Variable
def unicode_error(run):
    return b"\xff".decode()


@Variable
def os_error(run):
    return open("/nonexistent/file")


@Variable
def stop_iteration(run):
    raise StopIteration("x")


@Variable
def own_text(run):
    class Strange(Exception):
        def __str__(self):
            return "own\n\ntext  "

    raise Strange


@Variable
def skip_of_lines(run):
    raise Skip("a\nb")


@Variable
def of_own_text(run, a: "var#own_text", b: "var#unicode_error"):
    return 1


@Variable
def of_the_rest(run, a: "var#of_own_text", b: "var#skip_of_lines"):
    return 1
