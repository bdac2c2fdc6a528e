"""The typed errors of Amazon Personalize: what a client sees as the exception classes of its SDK."""


class PersonalizeError(Exception):
    """Base of every error that an operation answers; `code` is its name on the wire.

    `status` is the HTTP status where the service model declares none.
    """

    code: str = "InternalFailure"
    status: int = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(PersonalizeError):
    code = "InvalidInputException"


class ResourceNotFound(PersonalizeError):
    code = "ResourceNotFoundException"


class ResourceAlreadyExists(PersonalizeError):
    code = "ResourceAlreadyExistsException"


class ResourceInUse(PersonalizeError):
    code = "ResourceInUseException"


class LimitExceeded(PersonalizeError):
    code = "LimitExceededException"


class InvalidNextToken(PersonalizeError):
    code = "InvalidNextTokenException"


class TooManyTags(PersonalizeError):
    code = "TooManyTagsException"


class TooManyTagKeys(PersonalizeError):
    code = "TooManyTagKeysException"


class UnknownOperation(PersonalizeError):
    code = "UnknownOperationException"
    status = 404


class Throttling(PersonalizeError):
    """A rate is exceeded."""

    # Guess: a rate that is exceeded is answered as AWS's front ends do; the model does not declare it.
    code = "ThrottlingException"
    status = 429


class InternalFailure(PersonalizeError):
    """A failure of the service itself."""

    code = "InternalFailure"
    status = 500


class OutdatedModel(PersonalizeError):
    """The emulator's own: a model that another release of it has saved."""

    status = 500
