"""As little of the context language as the measured files need: nothing is checked, stored or drawn."""


class Skip(Exception):
    pass


class Cell:
    def __init__(self, data, **shown):
        self.data = data


class Variable:
    def __init__(self, function=None, **declared):
        self.transient = declared.get("transient", False)
        if function is not None:
            self(function)

    def __call__(self, function):
        self.function = function
        return self
