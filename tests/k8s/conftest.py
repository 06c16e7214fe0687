"""The manifests, built; and what the code says of itself, to hold them against."""

import os
from pathlib import Path

import pytest
import yaml

from service.api.app import create_app
from service.api.metrics import Metrics
from service.api.settings import ENV_PREFIX, Settings
from tests.k8s.kustomize import build

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
OVERLAYS = sorted(path.name for path in (K8S / "overlays").iterdir())
COMPONENTS = sorted(path.name for path in (K8S / "components").iterdir())


@pytest.fixture(scope="session")
def prod():
    return build(K8S / "overlays" / "prod")


@pytest.fixture(scope="session")
def base():
    return build(K8S / "base")


@pytest.fixture(scope="session")
def build_with(tmp_path_factory):
    """Build the base with one component, as an overlay would."""

    def build_component(name):
        folder = tmp_path_factory.mktemp(name)
        plan = {"resources": ["k8s/base"], "components": [f"k8s/components/{name}"]}
        (folder / "k8s").symlink_to(K8S)
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
        return build(folder)

    return build_component


@pytest.fixture(scope="session")
def everything(base, build_with):
    """Every object of every overlay and of every component, with where it comes from."""
    built = {"base": base}
    built |= {name: build(K8S / "overlays" / name) for name in OVERLAYS}
    built |= {f"base+{name}": build_with(name) for name in COMPONENTS}
    return [(where, made) for where, objects in built.items() for made in objects.values()]


@pytest.fixture(scope="session")
def settings():
    """The settings of a process without any variable."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(ENV_PREFIX):
                patch.delenv(name)
        return Settings()


@pytest.fixture(scope="session")
def paths(settings):
    """The paths of the API, each with its methods in lower case."""
    return create_app(settings).openapi()["paths"]


@pytest.fixture(scope="session")
def routes(paths):
    """The paths that the API answers to GET."""
    return {path for path, methods in paths.items() if "get" in methods}


@pytest.fixture(scope="session")
def metric_labels():
    """Every series that the application registers, with the names of its labels."""
    registry = Metrics().registry
    labels = {}
    for family in registry.collect():
        collector = registry._names_to_collectors.get(family.name)
        names = frozenset(getattr(collector, "_labelnames", ()))
        own = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
        for suffix in own.get(family.type, ("",)):
            labels[family.name + suffix] = names | ({"le"} if suffix == "_bucket" else set())
        labels |= {sample.name: frozenset(sample.labels) | names for sample in family.samples}
    return labels
