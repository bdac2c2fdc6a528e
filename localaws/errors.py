"""The one error that callers of this package see."""


class LocalAwsError(Exception):
    """Something that stops the embedded AWS; its text is a sentence for the user."""
