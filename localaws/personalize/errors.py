"""The typed errors of Amazon Personalize: what a client sees as `botocore` exception classes."""

from moto.core.exceptions import ServiceException


class PersonalizeError(ServiceException):
    """Base of every error that an operation answers to its caller; `code` is the name on the wire."""

    code: str

    def __init__(self, message: str) -> None:
        super().__init__(message)


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


class Throttling(PersonalizeError):
    """Not declared by the service model, but what AWS front ends answer when a rate is exceeded."""

    code = "ThrottlingException"


class InternalFailure(PersonalizeError):
    """A failure of the service itself (HTTP 500); raised only on request, by an injected fault."""

    code = "InternalFailure"
