"""The attempts of one call: how long each may take, and how long to wait before the next.

Every request of this client may be sent again: the service keeps nothing of a request, so that a
second one changes nothing and is answered alike.
"""

from collections.abc import Callable
from dataclasses import dataclass

from service.client.errors import BusyError, ClientError, DeadlineError, UnreachableError

_MOST_DOUBLINGS = 1023
"""2.0 to a higher power is no float; no pause that grows so long is ever waited."""

TRANSIENT = (BusyError, UnreachableError)
"""After these a call is tried again while its time lasts."""


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait between attempts.

    Before the n-th repetition the client waits for what the service asks (Retry-After), and on top
    a random share of `first_pause_s` times 2 to the power of n - 1, so that clients that were
    refused together do not come back together.

    Attributes:
        first_pause_s: longest random pause before the first repetition, in seconds.
        longest_pause_s: longest random pause, in seconds.

    Source:
        Brooker, "Exponential Backoff and Jitter", 2015, "full jitter"; adding Retry-After is ours.
    """

    first_pause_s: float = 0.1
    longest_pause_s: float = 5.0


class Attempts:
    """The time that is left to a call.

    Args:
        timeout_s: seconds for all attempts and pauses together; above 0.
        policy: how long to wait between attempts.
        clock: seconds that never run backwards.
        draw: a random number in [0, 1).
    """

    def __init__(
        self,
        timeout_s: float,
        policy: RetryPolicy,
        clock: Callable[[], float],
        draw: Callable[[], float],
    ) -> None:
        self._timeout_s = timeout_s
        self._policy = policy
        self._clock = clock
        self._draw = draw
        self.restart()

    def restart(self) -> None:
        """Begin anew: something has been achieved."""
        self._ends_s = self._clock() + self._timeout_s
        self._n_failed = 0

    def remaining_s(self) -> float:
        """Tell how many seconds are left; above 0.

        Raises:
            DeadlineError: none.
        """
        remaining_s = self._ends_s - self._clock()
        if remaining_s <= 0:
            raise DeadlineError(
                f"expected a whole answer within {self._timeout_s:g} s, got none; "
                "send less, or allow more time with timeout_s"
            )
        return remaining_s

    def pause_after(self, error: ClientError) -> float:
        """Tell how many seconds to wait after a failed attempt.

        Args:
            error: what happened.

        Raises:
            ClientError: that error, when no time would be left after the pause.
        """
        growth = 2.0 ** min(self._n_failed, _MOST_DOUBLINGS)
        longest_s = min(self._policy.first_pause_s * growth, self._policy.longest_pause_s)
        self._n_failed += 1
        pause_s = (error.retry_after_s or 0.0) + self._draw() * longest_s
        if self._clock() + pause_s >= self._ends_s:
            raise error
        return pause_s
