"""Whether the process lives and whether it can answer, and the two probes that say so."""

from enum import StrEnum

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from service.api.problems import (
    AsciiJsonResponse,
    Problem,
    ProblemError,
    ProblemKind,
    problem_response,
)

PROBES = ("/livez", "/readyz", "/v2/health/live", "/v2/health/ready")
"""Paths that are asked every few seconds: neither logged at level info nor traced."""

_RETRY_AFTER_S = 2


class HealthState(StrEnum):
    """The way of a model: starting, then ready or failed."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


class HealthReport(BaseModel):
    """The answer of a probe."""

    status: str = Field(description="alive, or ready.")


class Health:
    """What the probes report.

    Attributes:
        state: starting at first.
        failure: why the model cannot be used, for the operator; "" otherwise.
        is_draining: the process is about to end.
    """

    def __init__(self) -> None:
        self.is_draining = False
        self.state = HealthState.STARTING
        self.failure = ""

    def become_ready(self) -> None:
        """The bundle is verified and the model has run once."""
        self.state = HealthState.READY

    def become_failed(self, failure: str) -> None:
        """The process will not be able to answer."""
        self.state, self.failure = HealthState.FAILED, failure

    def become_draining(self) -> None:
        """The process will end; whoever still comes is served, but no new traffic is wanted."""
        self.is_draining = True

    @property
    def is_ready(self) -> bool:
        """Whether a balancer shall send requests here."""
        return self.state is HealthState.READY and not self.is_draining

    def require_model(self) -> None:
        """Check that work can be done: also while draining, for those who did not hear of it yet.

        Raises:
            ProblemError: 503; it says why.
        """
        if self.state is not HealthState.READY:
            raise self._refusal()

    def require_ready(self) -> None:
        """Check that new traffic is wanted.

        Raises:
            ProblemError: 503; it says why.
        """
        if not self.is_ready:
            raise self._refusal()

    def _refusal(self) -> ProblemError:
        got = {
            HealthState.STARTING: "is still starting; try again soon",
            HealthState.READY: "is draining before its end; try another replica",
            HealthState.FAILED: f"failed: {self.failure}",
        }[self.state]
        return ProblemError(
            ProblemKind.NOT_READY,
            f"expected a ready service, but it {got}",
            headers={"Retry-After": str(_RETRY_AFTER_S)},
        )


def health_router(health: Health) -> APIRouter:
    """Make the routes of the probes; they do no work of the model."""
    router = APIRouter(tags=["health"])

    @router.get("/livez", response_model=HealthReport)
    async def livez() -> Response:
        """Tell that the process answers."""
        return AsciiJsonResponse({"status": "alive"})

    @router.get("/readyz", response_model=HealthReport, responses={503: {"model": Problem}})
    async def readyz(request: Request) -> Response:
        """Tell that the bundle is verified and the model is warm."""
        try:
            health.require_ready()
        except ProblemError as error:
            return problem_response(request, error)
        return AsciiJsonResponse({"status": HealthState.READY.value})

    return router
