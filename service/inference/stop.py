"""The stop signal: ends the model's work on one document early, from another thread."""

import onnxruntime as ort

from service.errors import StoppedError


class StopSignal:
    """Set once, by whoever no longer needs the answer; the run ends before its next operator.

    Attributes:
        run_options: hand them to each `InferenceSession.run` that the signal shall end.

    Source:
        The flag `terminate` of onnxruntime's RunOptions.
    """

    def __init__(self) -> None:
        self.run_options = ort.RunOptions()

    def set(self) -> None:
        """End the present run, and every later one that is given this signal."""
        self.run_options.terminate = True

    @property
    def is_set(self) -> bool:
        """Whether the work shall end."""
        return bool(self.run_options.terminate)

    def check(self) -> None:
        """Stop here if the signal is set.

        Raises:
            StoppedError: it is.
        """
        if self.is_set:
            raise StoppedError(
                "expected to work to the end, was told to stop: nobody waits for this answer"
            )
