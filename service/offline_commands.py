"""The commands that train, export and measure: listed always, loaded only when one is called.

They live in packages that the service never imports. The distribution names them in the
entry-point group `patsum.commands`; one whose packages are missing says which extra brings them.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

import click

from service.errors import MissingExtraError

GROUP = "patsum.commands"
OUR_PACKAGES = ("service", "training", "export", "bench")
"""What this distribution itself brings; one of these missing is a bug, and no extra mends it."""


class Outline(NamedTuple):
    """What is known of an offline command without loading it.

    Attributes:
        summary: one line for the list of commands.
        extra: the extra of the distribution that brings its packages.
    """

    summary: str
    extra: str


OUTLINES = {
    "prepare": Outline("Turn articles into encoded training examples.", "training"),
    "teacher": Outline("Fine-tune the teacher.", "training"),
    "distill": Outline("Distil the teacher into a small student.", "training"),
    "inject": Outline("Inject patterns into the teacher.", "training"),
    "ablate": Outline("Fit variants of a student or of the injection, and compare.", "training"),
    "evaluate": Outline("Measure ROUGE and faithfulness of a model.", "training"),
    "explore": Outline("Look into a model's attention heads, and decide on patterns.", "training"),
    "importance": Outline("Say how much each attention head matters.", "training"),
    "relevance": Outline("Say what each attention head looks at.", "training"),
    "export": Outline("Turn a student into a verified int8 bundle.", "export"),
    "record": Outline("Put measurements into a bundle's manifest and card.", "export"),
    "fit-length": Outline("Fit how many sentences a bundle's summaries have.", "export"),
    "punkt": Outline("Train the sentence splitter's parameters on raw articles.", "training"),
    "bench": Outline("Measure latency and throughput, of a service or in process.", "bench"),
}

_UNKNOWN = Outline("A command of another distribution.", "training")


class OfflineCommand(click.Command):
    """Stands for an offline command in the list of commands, and becomes it when called.

    Args:
        name: of the command.
        entry_point: where it lives; None when the distribution does not declare it.
    """

    def __init__(self, name: str, entry_point: EntryPoint | None) -> None:
        outline = OUTLINES.get(name, _UNKNOWN)
        super().__init__(name, short_help=outline.summary, help=outline.summary)
        self.extra = outline.extra
        self._entry_point = entry_point

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: object,
    ) -> click.Context:
        """Load the real command and let it read its arguments.

        Raises:
            MissingExtraError: a package that it needs is not installed.
            ModuleNotFoundError: a module of our own is missing.
        """
        return self._load().make_context(info_name, args, parent, **extra)

    def missing_extra(self, error: ModuleNotFoundError | None = None) -> MissingExtraError:
        """Say which extra brings the packages of this command.

        Args:
            error: names the missing module, if one was looked for.
        """
        return MissingExtraError(str(self.name), self.extra, error.name if error else None)

    def _load(self) -> click.Command:
        if self._entry_point is None:
            raise self.missing_extra()
        try:
            command = self._entry_point.load()
        except ModuleNotFoundError as error:
            if is_our_own(error):
                raise
            raise self.missing_extra(error) from error
        assert isinstance(command, click.Command), "an entry point of the group is a command"
        return command


def is_our_own(error: ModuleNotFoundError) -> bool:
    """Say whether the missing module belongs to one of our own packages."""
    return (error.name or "").partition(".")[0] in OUR_PACKAGES


def find_offline_commands() -> dict[str, OfflineCommand]:
    """Find the offline commands, those of this distribution first."""
    found = {entry_point.name: entry_point for entry_point in entry_points(group=GROUP)}
    names = [*OUTLINES, *sorted(set(found) - set(OUTLINES))]
    return {name: OfflineCommand(name, found.get(name)) for name in names}
