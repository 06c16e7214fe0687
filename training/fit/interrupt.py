"""Ctrl-C during a fit: stop after the present step or validation, with everything saved."""

import os
import signal
import threading
from types import FrameType
from typing import Self

_STDERR = 2
_SAID = b"\nstopping after this step or validation; Ctrl-C again stops at once\n"


class Interrupt:
    """Within it, the first Ctrl-C is a wish to stop soon, and the second one stops at once.

    Nothing changes in another thread than the main one, which alone gets Ctrl-C, and where Ctrl-C
    is ignored, as in a script's background.

    Attributes:
        is_asked: whether somebody wishes to stop.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self._before = signal.getsignal(signal.SIGINT)
        is_main = threading.current_thread() is threading.main_thread()
        self._is_listening = is_main and callable(self._before)

    def __enter__(self) -> Self:
        if self._is_listening:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_listening:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True
        os.write(_STDERR, _SAID)  # printing is not safe inside a handler
