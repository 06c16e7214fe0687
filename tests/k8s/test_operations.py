"""Facts about docs/operations.md: what it names exists, and what it shows is valid."""

import re
from copy import deepcopy

import kubernetes_validate
import yaml

from service.api.settings import ENV_PREFIX, Settings
from tests.k8s.conftest import COMPONENTS, OVERLAYS, ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_every_variable_on_the_page_is_a_setting():
    fields = set(re.findall(rf"{ENV_PREFIX}([A-Z_]*[A-Z])", PAGE))
    assert {field.lower() for field in fields} <= set(Settings.model_fields)


def test_every_metric_on_the_page_is_registered(metric_labels):
    named = re.findall(r"`(patsum_[a-z_]+)(?:\{([a-z,]+)\})?`", PAGE)
    for metric, labels in named:
        if metric == "patsum_queue_share":
            continue  # the name that the page tells the reader to make
        series = [name for name in metric_labels if name in (metric, f"{metric}_bucket")]
        assert series, metric
        assert set(filter(None, labels.split(","))) <= metric_labels[series[0]], metric


def test_every_component_and_overlay_is_described():
    assert set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)) == set(COMPONENTS)
    assert set(re.findall(r"kubectl apply -k k8s/overlays/(\S+)", PAGE)) == set(OVERLAYS)


def test_shown_metric_fits_into_the_autoscaler_of_the_base(base):
    (shown,) = blocks("yaml")
    scaler = deepcopy(base["HorizontalPodAutoscaler", "patsum"])
    scaler["spec"]["metrics"] += yaml.safe_load(shown)
    kubernetes_validate.validate(scaler, "1.37", strict=True)


def test_query_of_the_page_is_the_scalers(prod):
    (shown,) = blocks("promql")
    query = prod["ScaledObject", "patsum"]["spec"]["triggers"][0]["metadata"]["query"]
    assert shown.split() == query.replace("by (pod) ( ", "by (pod) (").split()


def test_steps_of_the_end_are_the_deployments(prod):
    pod = prod["Deployment", "patsum"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    variables = {v["name"]: v.get("value") for v in container["env"]}
    rows = dict(re.findall(r"^\| `(\w+)`[^|]* \| (?:≤ )?(\d+) \|", PAGE, re.MULTILINE))
    assert rows == {
        "preStop": str(container["lifecycle"]["preStop"]["sleep"]["seconds"]),
        "PATSUM_DRAIN_S": variables["PATSUM_DRAIN_S"],
        "PATSUM_GRACEFUL_SHUTDOWN_S": variables["PATSUM_GRACEFUL_SHUTDOWN_S"],
        "terminationGracePeriodSeconds": str(pod["terminationGracePeriodSeconds"]),
    }


def test_make_targets_on_the_page_exist():
    for target in set(re.findall(r"^make ([a-z-]+)", PAGE, re.MULTILINE)):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target
