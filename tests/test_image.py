"""Facts about the image's recipe; `make image image-check` shows that it builds and runs."""

import importlib.util
import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STAGES = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "image" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_engine(path, script, **environment):
    """Run a script that has sourced image/engine, with `path` as the only place of programs."""
    return subprocess.run(
        ["/bin/bash", "-c", f". image/engine; {script}"],
        cwd=ROOT,
        env={"PATH": str(path)} | environment,
        capture_output=True,
        text=True,
    )


def make_program(folder, name, script):
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_base_is_pinned_to_an_exact_release():
    base = re.search(r"^ARG PYTHON_IMAGE=(.+)$", DOCKERFILE, re.MULTILINE).group(1)
    assert re.fullmatch(r"docker\.io/library/python:3\.11\.\d+-slim-bookworm", base)
    assert {stage.split()[0] for stage in STAGES} <= {
        *("${PYTHON_IMAGE}", "dependencies", "build", "runtime", "check")
    }


def test_image_takes_the_report_of_the_check_so_that_no_builder_skips_it():
    assert STAGES[-1].startswith("runtime\n")
    assert "COPY --from=check " in STAGES[-1]


def test_image_starts_patsum_serve():
    assert 'ENTRYPOINT ["patsum"]\nCMD ["serve"]' in DOCKERFILE


def test_context_lets_only_named_files_in():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = set()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        copied |= set(line.split())
    assert copied == let_in
    assert not any(name.startswith(("training", "export")) for name in let_in)


def test_requirements_are_the_base_dependencies_and_the_asked_extras():
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    read = load("requirements").read_requirements
    assert read(ROOT / "pyproject.toml", []) == project["dependencies"]
    extra = project["optional-dependencies"]["minilm"]
    assert read(ROOT / "pyproject.toml", ["minilm"]) == [*project["dependencies"], *extra]
    with pytest.raises(KeyError):
        read(ROOT / "pyproject.toml", ["no-such-extra"])


def test_check_of_the_contents_ends_a_build_that_holds_the_offline_side():
    run = subprocess.run(
        [sys.executable, ROOT / "image" / "contents.py"],
        cwd=ROOT / "image",
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert "expected none of the offline side in the image, found ['torch', " in run.stderr


def test_contents_are_checked_for_what_layout_calls_offline():
    layout = (ROOT / "tests" / "test_layout.py").read_text(encoding="utf-8")
    names = re.search(r"^OFFLINE_PACKAGES = \(([^)]+)\)", layout, re.MULTILINE).group(1)
    assert set(re.findall(r"\w+", names)) <= set(load("contents").OFFLINE)


def test_contents_find_installers_of_every_python_and_setuid_programs(tmp_path):
    packages = tmp_path / "usr" / "lib" / "python3" / "dist-packages"
    for name in ("pip", "numpy"):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").touch()
    program = tmp_path / "su"
    program.touch()
    program.chmod(0o4755)
    (tmp_path / "ls").touch()
    found = set(load("contents").find_leftovers(tmp_path))
    assert found == {str(packages / "pip"), str(program)}


def test_layers_have_a_fixed_time_where_the_engine_can():
    build = (ROOT / "image" / "build").read_text(encoding="utf-8")
    for engine in ("podman", "buildah"):
        assert f'{engine} build --timestamp "$epoch"' in build


def test_size_is_bounded_at_250_megabytes():
    contents = load("contents")
    assert contents.MAX_BYTES == 250_000_000


def test_client_without_its_engine_falls_through_to_the_next(tmp_path):
    make_program(tmp_path, "docker", "exit 1")
    make_program(tmp_path, "podman", "exit 0")
    make_program(tmp_path, "buildah", "exit 0")
    run = run_engine(tmp_path, "find_engine")
    assert run.stdout == "podman\n"
    assert "docker is installed, but does not work here" in run.stderr


def test_asked_engine_is_taken_although_another_works_too(tmp_path):
    make_program(tmp_path, "docker", "exit 0")
    make_program(tmp_path, "buildah", "exit 0")
    assert run_engine(tmp_path, "find_engine", ENGINE="buildah").stdout == "buildah\n"


def test_without_any_engine_the_message_says_what_to_do(tmp_path):
    make_program(tmp_path, "docker", "exit 1")
    run = run_engine(tmp_path, "find_engine")
    assert run.returncode == 1
    assert "Expected one of docker, podman and buildah that works, got none." in run.stderr
    assert "make system" in run.stderr
