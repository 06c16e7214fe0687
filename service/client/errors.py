"""What can go wrong with a call to the service; a branch of the tree in `service/errors.py`.

PatsumError
├── ClientError            a call to the service failed
│   ├── RefusedError       the service refused it, and would again
│   ├── BusyError          the service had no room, or was not ready, until the time was up
│   ├── UnreachableError   no connection, or it broke, until the time was up
│   ├── DeadlineError      the time was up before the answer was whole
│   └── AnswerError        what came is no answer of patsum, or does not quote the text
└── MissingExtraError
    └── MissingHttpxError  the extra `client` is not installed
"""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from service.errors import MissingExtraError, PatsumError


class FieldProblem(BaseModel):
    """One mistake in a request: what was expected and came, and a JSON pointer to it."""

    model_config = ConfigDict(frozen=True)

    detail: str = ""
    pointer: str = ""


class Problem(BaseModel):
    """The service's words for a refusal (RFC 9457)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""
    errors: tuple[FieldProblem, ...] = ()


class ClientError(PatsumError):
    """A call to the service failed.

    Attributes:
        status: of the HTTP answer; None when there was none.
        problem: the service's words; None when the answer had none.
        request_id: by which the service's log knows the call; None when there was no answer.
        retry_after_s: seconds that the service asks to wait; None when it does not.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        problem: Problem | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.problem = problem
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class RefusedError(ClientError):
    """The service refused the request, and would refuse it again."""


class BusyError(ClientError):
    """The service had no room, or was not ready, until the time was up."""


class UnreachableError(ClientError):
    """There was no connection, or it broke, until the time was up."""


class DeadlineError(ClientError):
    """The time was up before the answer was whole."""


class AnswerError(ClientError):
    """What came is no answer of patsum, or does not quote the text that was sent."""


class MissingHttpxError(MissingExtraError):
    """The client was imported without the package that it needs."""

    def __init__(self) -> None:
        PatsumError.__init__(
            self,
            "`service.client` needs httpx, which serving does not: "
            "install it with `pip install -c constraints.txt -e '.[client]'` in the checkout",
        )
