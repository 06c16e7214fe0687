"""What must hold of the repository as a whole: who may import whom, what is pinned."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OFFLINE_PACKAGES = (
    "torch",
    "transformers",
    "onnx",
    "optimum",
    "datasets",
    "training",
    "export",
    "bench",
)

IMPORT_WITHOUT_OFFLINE_PACKAGES = f"""
import sys


class NoOfflinePackages:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OFFLINE_PACKAGES!r}:
            raise ModuleNotFoundError(f"{{name}} is not there when serving", name=name)


sys.meta_path.insert(0, NoOfflinePackages())
import service, service.cli, service.api.app
"""

# A path that exists on one machine only. An URL's path does not count, nor does a longer path.
MACHINE_PATH = re.compile(
    r"(?<![\w.~})-])/(?:home|root|work|Users)/\w|(?<![\w/])\.\./shared\b|file:/{3}"
)


@pytest.fixture(scope="module")
def project():
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


def normal_name(requirement):
    """Spell a requirement's distribution as PEP 503 does: Rouge_Score>=0.1 -> rouge-score."""
    name = re.match(r"[\w.-]+", requirement).group()
    return re.sub(r"[-_.]+", "-", name).lower()


def committed_texts():
    """Yield name and content of each text file that is, or would be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        content = path.read_bytes() if path.is_file() else b""
        if b"\0" not in content:
            yield name, content.decode("utf-8", errors="replace")


def test_service_starts_where_offline_packages_cannot_be_imported():
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT_OFFLINE_PACKAGES],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


def test_offline_packages_are_made_unimportable_by_that_test():
    code = IMPORT_WITHOUT_OFFLINE_PACKAGES.replace("service.cli", "training")
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "training is not there when serving" in run.stderr


def test_base_dependencies_name_no_offline_package(project):
    assert not {normal_name(r) for r in project["dependencies"]} & set(OFFLINE_PACKAGES)


def test_each_dependency_has_one_exact_pin(project):
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    pinned = [normal_name(pin) for pin in pins]
    assert len(pinned) == len(set(pinned))
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    assert {normal_name(r) for group in groups for r in group} <= set(pinned)


def test_no_committed_text_holds_a_path_of_one_machine():
    found = [
        f"{name}: {match.group()}"
        for name, text in committed_texts()
        for match in MACHINE_PATH.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize("path", ["/ho" + "me/me/x", "'/ro" + "ot/x'", "../sha" + "red/data"])
def test_machine_paths_are_recognized(path):
    assert MACHINE_PATH.search(path)


@pytest.mark.parametrize("text", ["https://example.org/home/page", "k8s/work/one", "a/root/b"])
def test_other_paths_are_left_alone(text):
    assert not MACHINE_PATH.search(text)


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        "docs/api.md",
        "docs/batch.md",
        "docs/benchmark.md",
        "docs/page.md",
        "docs/operations.md",
        "docs/training.md",
        "docs/why.md",
    ],
)
def test_pages_have_no_dead_links_and_no_placeholders(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)", text)
    dead = [
        link
        for link in links
        if "://" not in link and not (ROOT / page).parent.joinpath(link).exists()
    ]
    assert dead == []
    assert "@@" not in text
