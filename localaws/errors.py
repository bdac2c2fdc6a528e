"""The error that is shown to people: a sentence that says what is wrong and what to do."""

import errno


class LocalAwsError(Exception):
    """Raised with a whole sentence; nothing is added to it when it is shown."""


def sentence(error: OSError) -> str:
    """What a file system refused, and what to do about it."""
    place = error.filename or "a file"
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "the disk is full: free some space, and try again."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"{place} may not be written: change its permissions, or work in another folder."
        case errno.EEXIST | errno.ENOTDIR:
            return f"{place} is a file where a folder is needed: move it away."
    return f"{place}: {error.strerror or error}." if error.filename else f"{error.strerror or error}."
