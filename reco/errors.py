"""The one error that the command line shows: a sentence that says what is wrong and what to do."""


class RecoError(Exception):
    """Shown to the operator as it is, without a traceback; exit code 1."""
