"""Facts about how the manifests build."""

import shutil
import subprocess

import pytest
import yaml

from tests.k8s.conftest import COMPONENTS, K8S, OVERLAYS, ROOT
from tests.k8s.kustomize import build


def find_kustomize():
    """Find the real program; None where neither form of it is installed."""
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    return ["kubectl", "kustomize"] if shutil.which("kubectl") else None


def comparable(objects):
    """Forget the order in which merged lists of named items come."""
    return [sort_named(made) for _, made in sorted(objects.items())]


def sort_named(value):
    if isinstance(value, dict):
        return {key: sort_named(part) for key, part in value.items()}
    if isinstance(value, list):
        items = [sort_named(part) for part in value]
        if all(isinstance(item, dict) and "name" in item for item in items):
            return sorted(items, key=lambda item: item["name"])
        return items
    return value


@pytest.mark.skipif(find_kustomize() is None, reason="neither kustomize nor kubectl is installed")
@pytest.mark.parametrize("folder", ["base", *(f"overlays/{name}" for name in OVERLAYS)])
def test_our_small_kustomize_agrees_with_the_real_one(folder):
    run = subprocess.run([*find_kustomize(), str(K8S / folder)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""  # a deprecated field is told there
    documents = list(yaml.safe_load_all(run.stdout))
    real = {(d["kind"], d["metadata"]["name"]): d for d in documents}
    assert comparable(build(K8S / folder)) == comparable(real)


@pytest.mark.skipif(find_kustomize() is None, reason="neither kustomize nor kubectl is installed")
@pytest.mark.parametrize("name", COMPONENTS)
def test_each_component_builds_on_the_base_alone_in_both(name, build_with, tmp_path):
    copy = tmp_path / "k8s"
    shutil.copytree(K8S, copy)
    plan = {"resources": ["../base"], "components": [f"../components/{name}"]}
    (copy / "one").mkdir()
    (copy / "one" / "kustomization.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    run = subprocess.run([*find_kustomize(), str(copy / "one")], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    documents = list(yaml.safe_load_all(run.stdout))
    real = {(d["kind"], d["metadata"]["name"]): d for d in documents}
    assert comparable(build_with(name)) == comparable(real)


def test_every_manifest_belongs_to_a_kustomization():
    named = set()
    for plan_path in K8S.rglob("kustomization.yaml"):
        plan = yaml.safe_load(plan_path.read_text(encoding="utf-8"))
        patches = [patch["path"] for patch in plan.get("patches", []) if "path" in patch]
        files = [f for made in plan.get("configMapGenerator", []) for f in made["files"]]
        for name in [*plan.get("resources", []), *patches, *files]:
            named.add((plan_path.parent / name).resolve())
    manifests = {p for p in K8S.rglob("*.*") if p.suffix in (".yaml", ".json")}
    manifests -= set(K8S.rglob("kustomization.yaml"))
    assert {str(p.relative_to(ROOT)) for p in manifests - named} == set()


def test_one_file_holds_one_object():
    for path in K8S.rglob("*.yaml"):
        assert len(list(yaml.safe_load_all(path.read_text(encoding="utf-8")))) == 1, path
