"""Facts about the `patsum` command."""

import json
import subprocess
import sys
from importlib.metadata import EntryPoint

import click
import pytest
from click.testing import CliRunner

import service.offline_commands
from service.api.settings import Settings
from service.cli import PatsumGroup, cli
from service.errors import DataError
from service.offline_commands import OUTLINES
from service.printout import print_summary

TEXT = (
    "The ferry left the harbour before the storm.\nThe mayor said that the council had a report. "
    "No train was on time. The storm came in the night, and the water was over the road.\r\n"
    "People would vote for a new bridge over the river.\n"
)


@pytest.fixture
def run(tiny_bundle):
    """Run the command with the tiny bundle."""

    def run_cli(*arguments, **options):
        environment = {"PATSUM_BUNDLE": str(tiny_bundle)}
        arguments = [str(argument) for argument in arguments]
        return CliRunner().invoke(cli, arguments, env=environment, **options)

    return run_cli


@pytest.fixture
def article(tmp_path):
    path = tmp_path / "article.txt"
    path.write_bytes(TEXT.encode())
    return path


@pytest.fixture
def offer(monkeypatch):
    """Offer one offline command from an entry point."""

    def offer_entry_point(name, target):
        entry_point = EntryPoint(name, target, service.offline_commands.GROUP)
        monkeypatch.setattr(service.offline_commands, "entry_points", lambda group: [entry_point])

    return offer_entry_point


@click.command()
@click.option("--steps", type=int, default=1)
def example_command(steps):
    """An offline command."""
    click.echo(f"{steps} steps")


@click.command()
def command_with_an_error():
    """An offline command whose data is bad."""
    raise DataError("expected articles,\ngot none")


@click.command()
def command_without_its_packages():
    """An offline command that imports late."""
    import package_that_is_not_there  # noqa: F401


@click.command()
def command_with_a_lost_module():
    """An offline command that imports a module of ours that was moved away."""
    import training.module_that_is_not_there  # noqa: F401


def test_pipe_gets_a_sentence_a_line(run, article):
    result = run("summarize", article)
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert len(lines) == 3
    assert all(line in " ".join(TEXT.split()) for line in lines)


def test_terminal_gets_scores_and_offsets(tiny_bundle):
    from service import Summarizer
    from service.inference.explain import ExplainMethod

    summary = Summarizer(tiny_bundle).summarize(TEXT, explain=ExplainMethod.ATTENTION)
    lines = list(print_summary(summary, is_detailed=True))
    first = summary.sentences[0]
    assert lines[0].startswith(f"{first.rank_score:.3f}")
    assert f"[{first.offset}:{first.offset + first.length}]" in lines[0]
    assert lines[1].strip().startswith("evidence: #")
    assert lines[-2].startswith("note: ")
    assert lines[-1] == (
        "faithfulness of attention: comprehensiveness 0.250, sufficiency 0.125, "
        "Kendall tau with leaving one sentence out 0.500, over 2 documents"
    )


def test_json_is_the_answer_of_the_api(run, article):
    result = run("summarize", article, "--json", "--explain", "--sentences", "2")
    answer = json.loads(result.stdout)
    assert answer["id"] == str(article)
    assert len(answer["sentences"]) == 2
    assert answer["explanation"]["method"] == "attention"
    for s in answer["sentences"]:
        assert s["text"] == TEXT[s["offset"] : s["offset"] + s["length"]]


def test_without_a_length_the_bundle_says_how_many(run, article, four_sentence_bundle):
    summary = run("summarize", article, "--bundle", four_sentence_bundle)
    assert len(summary.stdout.splitlines()) == 4
    assert "chooses   2, 3, 4 sentences" in run("info", "--bundle", four_sentence_bundle).stdout
    assert "chooses   3 sentences, when" in run("info").stdout


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_standard_input_is_read(run, arguments):
    result = run("summarize", "--sentences", "1", *arguments, input=TEXT)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1


def test_rank_order_and_other_lengths(run, article):
    rank = json.loads(run("summarize", article, "--json", "--order", "rank", "--ratio", "1").stdout)
    scores = [s["rankScore"] for s in rank["sentences"]]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    short = run("summarize", article, "--max-characters", "60").stdout
    assert 0 < len(short.strip()) <= 60


def test_occlusion_implies_an_explanation(run, article):
    answer = json.loads(run("summarize", article, "--json", "--explain-method", "occlusion").stdout)
    assert answer["explanation"]["method"] == "occlusion"


def test_several_files_go_on_after_a_bad_one_and_report_at_the_end(run, article, tmp_path):
    binary, latin, empty = (tmp_path / name for name in ("binary", "latin", "empty"))
    binary.write_bytes(b"\x7fELF\0\0")
    latin.write_bytes("Die Fähre kam.".encode("latin-1"))
    empty.write_bytes(b"")
    missing = tmp_path / "missing"
    result = run("summarize", missing, binary, latin, empty, tmp_path, article)
    assert result.exit_code == 2
    errors = result.stderr.splitlines()
    assert all(line.startswith("patsum: error: ") for line in errors)
    words = ["No such file", "binary", "byte 0xe4 at offset 5", "some text", "directory", "5 of 6"]
    assert len(errors) == len(words)
    assert all(word in line for word, line in zip(words, errors, strict=True))
    assert result.stdout.startswith(f"== {article}\n")


def test_one_missing_file_is_one_line(run):
    result = run("summarize", "nowhere.txt")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "patsum: error: nowhere.txt: expected a readable file, got No such file or directory; "
        "check its path and permissions\n"
    )


def test_length_rules_exclude_each_other(run, article):
    result = run("summarize", article, "--sentences", "2", "--ratio", "0.5")
    assert result.exit_code == 2
    assert "exclude each other" in result.stderr


def test_cut_text_is_warned_about(run, tmp_path):
    path = tmp_path / "long.txt"
    path.write_text(" ".join(f"The council made report {i} about the river." for i in range(200)))
    result = run("summarize", path)
    assert result.exit_code == 0
    assert result.stderr.startswith(f"patsum: warning: {path}: the model reads up to 512 tokens")


@pytest.mark.parametrize("command", ["summarize", "info"])
def test_unusable_bundle_is_one_line(run, command, tmp_path):
    result = run(command, "--bundle", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.startswith("patsum: error: expected the manifest of a bundle")
    assert len(result.stderr.splitlines()) == 1


def test_info_shows_patterns_limits_and_versions(run):
    result = run("info")
    assert result.exit_code == 0
    for words in ("patsum-tiny@sha256:", "matching_token", "free", "max_documents", "onnxruntime"):
        assert words in result.stdout
    assert "why       to test with\n" in result.stdout
    placed = "layer 0, head 1: intra_sentence, as in the teacher's layer 3, head 8. hardly leaves"
    assert placed in result.stdout
    assert "faithful  comprehensiveness 0.250, sufficiency 0.125, Kendall tau" in result.stdout


def test_info_as_json_is_the_answer_of_the_api(run):
    info = json.loads(run("info", "--json").stdout)
    assert info["limits"]["maxDocuments"] == 25


def test_serve_has_an_option_and_a_variable_for_every_setting(run):
    text = " ".join(run("serve", "--help").stdout.split())
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')} " in text
        assert f"PATSUM_{name.upper()}" in text


@pytest.mark.parametrize("arguments", [["--port", "99999"], ["--log-level", "loud"], ["--nope"]])
def test_serve_refuses_wrong_options(run, arguments):
    result = run("serve", *arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_wrong_variable_is_one_line(run, monkeypatch):
    monkeypatch.setenv("PATSUM_PORT", "eighty")
    result = run("info")
    assert result.exit_code == 2
    assert result.stderr.startswith("patsum: error: PATSUM_PORT: ")


def test_help_lists_offline_commands_without_loading_anything(tmp_path):
    code = (
        "import sys; from service.cli import cli\n"
        "try: cli(['--help'])\n"
        "finally: print([m for m in ('torch', 'training', 'export', 'onnxruntime', 'fastapi') "
        "if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[-1] == "[]"
    for name, outline in OUTLINES.items():
        (line,) = [line for line in lines if line.strip().startswith(f"{name} ")]
        assert line.strip().endswith(outline.summary)


@pytest.mark.parametrize("name", OUTLINES)
def test_offline_command_without_its_packages_names_the_extra(run, offer, name):
    offer(name, "package_that_is_not_there.commands:main")
    result = run(name, "--steps", "3")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"patsum: error: `patsum {name}` needs packages")
    assert "(there is no `package_that_is_not_there`)" in result.stderr
    assert f".[{OUTLINES[name].extra}]" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_offline_command_that_imports_late_names_the_extra(run, offer):
    offer("teacher", f"{__name__}:command_without_its_packages")
    result = run("teacher")
    assert result.exit_code == 2
    assert "(there is no `package_that_is_not_there`)" in result.stderr
    assert ".[training]" in result.stderr


def test_offline_command_that_is_not_declared_names_the_extra(run, offer):
    offer("distill", f"{__name__}:example_command")
    result = run("teacher")
    assert result.exit_code == 2
    assert "needs packages that serving does not: install" in result.stderr


@pytest.mark.parametrize(
    "target",
    [
        f"{__name__}:command_with_a_lost_module",
        "training.module_that_is_not_there:main",
        "export.module_that_is_not_there:main",
        "service.module_that_is_not_there:main",
    ],
)
def test_lost_module_of_our_own_is_a_bug_and_not_a_missing_extra(run, offer, target):
    offer("teacher", target)
    result = run("teacher")
    assert isinstance(result.exception, ModuleNotFoundError)
    assert ".[training]" not in result.output


def test_offline_command_gets_its_options_and_its_help(run, offer):
    offer("distill", f"{__name__}:example_command")
    assert run("distill", "--steps", "3").stdout == "3 steps\n"
    assert "--steps" in run("distill", "--help").stdout


def test_error_of_an_offline_command_is_one_line(run, offer):
    offer("prepare", f"{__name__}:command_with_an_error")
    result = run("prepare")
    assert result.exit_code == 2
    assert result.stderr == "patsum: error: expected articles, got none\n"


def test_unknown_command_is_refused(run):
    result = run("translate")
    assert result.exit_code == 2
    assert "No such command" in result.stderr


def test_ctrl_c_says_so_and_ends_with_130():
    @click.command()
    def interrupted():
        raise KeyboardInterrupt

    group = PatsumGroup("patsum", commands={"wait": interrupted})
    result = CliRunner().invoke(group, ["wait"])
    assert result.exit_code == 130
    assert "patsum: stopped by Ctrl-C" in result.stderr
