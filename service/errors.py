"""The one tree of errors that a user or the world can cause.

    PatsumError
    ├── InputError         what a caller sent cannot be summarized
    │   └── RowError       a row of a bulk run cannot be (service/bulk/row.py)
    ├── BundleError        a bundle folder is missing, corrupt or of another format
    ├── DataError          a data file is missing, empty or malformed
    ├── RecipeError        a recipe has an unknown key or a value of the wrong kind
    ├── PredicateError     a predicate over token pairs does not follow its grammar
    ├── CheckpointError    a checkpoint is missing, or belongs to another model
    ├── TrainingError      a fit diverged: its loss or its scores are no longer finite
    ├── ExportError        an exported model failed its verification
    ├── StoppedError       the work on a document was ended early, because nobody waits for it
    ├── TargetError        what is to be measured does not answer, or does not let us in
    ├── BatchError         a bulk run cannot start, go on or finish
    ├── ClientError        a call to the service failed (service/client/errors.py)
    │   ├── RefusedError       the service refused it, and would again
    │   ├── BusyError          the service had no room, or was not ready, until the time was up
    │   ├── UnreachableError   no connection, or it broke, until the time was up
    │   ├── DeadlineError      the time was up before the answer was whole
    │   └── AnswerError        what came is no answer of patsum, or does not quote the text
    ├── MissingExtraError  an offline command without the packages that it needs
    │   └── MissingHttpxError  the client without httpx (service/client/errors.py)
    └── ShapeError         an array of another shape than the one expected

Every message says what was expected, what came, and what to do.
"""


class PatsumError(Exception):
    """Root of the tree; its text is safe to show to a user."""


class InputError(PatsumError):
    """What a caller sent cannot be summarized.

    Attributes:
        pointer: JSON pointer to the offending value inside the caller's document, "" for the whole.
    """

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class BundleError(PatsumError):
    """A bundle folder is missing, corrupt or of another format."""


class DataError(PatsumError):
    """A data file is missing, empty or malformed."""


class RecipeError(PatsumError):
    """A recipe has an unknown key or a value of the wrong kind."""


class PredicateError(PatsumError):
    """A predicate over token pairs does not follow its grammar.

    Attributes:
        source: the text of the predicate.
        position: place of the offending character in it, from 0; its length where the text ends too
            early.
    """

    def __init__(self, message: str, source: str, position: int) -> None:
        super().__init__(message)
        self.source = source
        self.position = position


class CheckpointError(PatsumError):
    """A checkpoint is missing, or belongs to another model."""


class TrainingError(PatsumError):
    """A fit diverged: its loss or its scores are no longer finite."""


class ExportError(PatsumError):
    """An exported model, or what was fitted for it, failed its verification."""


class StoppedError(PatsumError):
    """The work on a document was ended early, because nobody waits for it any more."""


class TargetError(PatsumError):
    """What is to be measured does not answer, or does not let us in."""


class BatchError(PatsumError):
    """A bulk run cannot start, go on or finish."""


class MissingExtraError(PatsumError):
    """An offline command was called without the packages that it needs.

    Args:
        command: the subcommand, such as "teacher".
        extra: the extra of the distribution that brings its packages.
        module: the one that was not found, if known, such as "torch".
    """

    def __init__(self, command: str, extra: str, module: str | None = None) -> None:
        missing = f" (there is no `{module}`)" if module else ""
        super().__init__(
            f"`patsum {command}` needs packages that serving does not{missing}: "
            f"install them, in the checkout, with `pip install -c constraints.txt -e '.[{extra}]'`"
        )


class ShapeError(PatsumError):
    """An array of another shape than the one expected."""
