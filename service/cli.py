"""The `patsum` command: serve, summarize files, describe the bundle, and the offline commands."""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from service.api.settings import ENV_PREFIX, Settings, read_settings
from service.bulk.cli import batch
from service.errors import InputError, PatsumError
from service.offline_commands import OfflineCommand, find_offline_commands, is_our_own
from service.summary_options import bundle_option, check_length_rules, summary_options
from service.text_file import STANDARD_STREAM, read_text

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def main() -> None:
    """Run the command; what a user or the world can cause ends in one line and exit code 2."""
    cli.main(prog_name="patsum")


def echo_error(message: str) -> None:
    """Write an error as one line to stderr."""
    click.echo(f"patsum: error: {' '.join(message.split())}", err=True)


class PatsumGroup(click.Group):
    """Our own commands and the offline ones; turns a PatsumError into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names, our own first."""
        return [*super().list_commands(ctx), *find_offline_commands()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command without loading what it needs."""
        return super().get_command(ctx, cmd_name) or find_offline_commands().get(cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the called command."""
        try:
            return self._invoke_named(ctx)
        except PatsumError as error:
            echo_error(str(error))
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo("patsum: stopped by Ctrl-C", err=True)
            ctx.exit(130)

    def _invoke_named(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:  # inside an offline command that is already loaded
            command = self.get_command(ctx, ctx.invoked_subcommand or "")
            if not isinstance(command, OfflineCommand) or is_our_own(error):
                raise
            raise command.missing_extra(error) from error


def setting_options(command: Decorated) -> Decorated:
    """Give a command one option for every setting, which reads the setting's variable too."""
    for name, field in reversed(Settings.model_fields.items()):
        default = None if field.default_factory else field.default
        command = click.option(
            f"--{name.replace('_', '-')}",
            name,
            type=_option_type(field),
            default=default,
            show_default=default is not None,
            envvar=f"{ENV_PREFIX}{name.upper()}",
            show_envvar=True,
            help=field.description,
        )(command)
    return command


def _option_type(field: FieldInfo) -> click.ParamType[Any]:
    if get_origin(field.annotation) is Literal:
        return click.Choice(get_args(field.annotation))
    limits = {
        name: getattr(limit, name)
        for limit in field.metadata
        for name in ("ge", "gt", "le")
        if hasattr(limit, name)
    }
    low, high = limits.get("ge", limits.get("gt")), limits.get("le")
    if field.annotation in (int, int | None):
        return click.IntRange(low, high)
    if field.annotation is float:
        return click.FloatRange(low, high, min_open="gt" in limits)
    return click.Path(path_type=Path) if field.annotation == Path | None else click.STRING


@click.group(cls=PatsumGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="patsum")
def cli() -> None:
    """Extractive summaries that show their reasons."""


@cli.command()
@setting_options
def serve(**values: object) -> None:
    """Serve the REST API."""
    from service.api.server import run_server

    run_server(read_settings(**{name: v for name, v in values.items() if v is not None}))


@cli.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@summary_options
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="A line of JSON a file: an entry of the API's `documents`.",
)
@bundle_option
def summarize(
    files: tuple[str, ...],
    sentences: int | None,
    ratio: float | None,
    max_characters: int | None,
    order: str,
    explain: bool,
    explain_method: str | None,
    as_json: bool,
    bundle: Path | None,
) -> None:
    """Summarize text files; without any, or for `-`, the standard input.

    At a terminal each sentence comes with its score, [start:end] in the text and #index.
    """
    check_length_rules(sentences, ratio, max_characters)
    from service.api.answer import answer_document
    from service.api.string_index import StringIndexType
    from service.inference.explain import ExplainMethod
    from service.inference.summarizer import Summarizer
    from service.printout import print_summary
    from service.text.select import Order, read_length_rule

    rule = read_length_rule(sentences, ratio, max_characters)
    method = ExplainMethod(explain_method or "attention") if explain or explain_method else None
    summarizer = Summarizer(bundle)

    def summarize_file(name: str) -> Iterable[str]:
        text = read_text(name)
        summary = summarizer.summarize(
            text, rule=rule, order=Order(order.capitalize()), explain=method
        )
        for warning in summary.warnings:
            click.echo(f"patsum: warning: {_display(name)}: {warning.message}", err=True)
        if as_json:
            answer = answer_document(name, text, summary, StringIndexType.CODE_POINT)
            return [json.dumps(answer.model_dump(by_alias=True, exclude_none=True))]
        header = [f"== {_display(name)}"] if len(files) > 1 else []
        return [*header, *print_summary(summary, sys.stdout.isatty())]

    _print_each(files or (STANDARD_STREAM,), summarize_file)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="As `GET /info` answers.")
@bundle_option
def info(as_json: bool, bundle: Path | None) -> None:
    """Describe the bundle, its patterns, the limits and the versions."""
    from service.api.info import describe_service
    from service.inference.bundle import Bundle, embedded_bundle_path
    from service.printout import print_info

    loaded = Bundle(embedded_bundle_path() if bundle is None else bundle)
    described = describe_service(loaded, read_settings(), queue_limits={})
    if as_json:
        click.echo(json.dumps(described.model_dump(by_alias=True, mode="json"), indent=2))
    else:
        click.echo("\n".join(print_info(described)))


cli.add_command(batch)


def _print_each(names: tuple[str, ...], summarize_file: Callable[[str], Iterable[str]]) -> None:
    """Summarize file after file; one that fails is reported and does not stop the others."""
    n_failed = 0
    for name in names:
        try:
            click.echo("\n".join(summarize_file(name)))
        except InputError as error:
            echo_error(f"{_display(name)}: {error}")
            n_failed += 1
    if n_failed and len(names) > 1:
        echo_error(f"{n_failed} of {len(names)} files could not be summarized")
    if n_failed:
        raise SystemExit(2)


def _display(name: str) -> str:
    return "standard input" if name == STANDARD_STREAM else click.format_filename(name)


if __name__ == "__main__":
    main()
