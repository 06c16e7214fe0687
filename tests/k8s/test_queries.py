"""Facts about every PromQL query we ship: it parses, and what it asks for is registered."""

import json
import re

import promql_parser
import pytest
import yaml

from service.api.info import CPU_FEATURES
from service.api.metrics import Rejection
from tests.k8s.conftest import K8S, ROOT

TARGET_LABELS = {"namespace", "pod", "job", "instance", "service", "container", "endpoint"}
"""What the scrape adds to each series."""

OTHERS = {
    "up": frozenset(),
    "kube_pod_container_status_waiting_reason": frozenset({"reason"}),
    "kube_pod_container_status_restarts_total": frozenset(),
    "kube_deployment_status_condition": frozenset({"deployment", "condition", "status"}),
}
"""What Prometheus itself and kube-state-metrics tell of us, by the names of their documentation."""

LABEL_VALUES = re.compile(r"label_values\((?P<query>.+), (?P<label>\w+)\)")
GRAFANA = {"$__rate_interval": "5m", "$__interval": "15s"}


def dashboard():
    return json.loads(
        (K8S / "components" / "grafana-dashboard" / "patsum.json").read_text(encoding="utf-8")
    )


def dashboard_queries():
    made = dashboard()
    for panel in made["panels"]:
        for target in panel.get("targets", []):
            yield f"dashboard, {panel['title']}", target["expr"]
    for annotation in made["annotations"]["list"]:
        yield f"dashboard, {annotation['name']}", annotation["expr"]
    for variable in made["templating"]["list"]:
        if variable["type"] == "query":
            found = LABEL_VALUES.fullmatch(variable["query"]["query"])
            yield f"dashboard, ${variable['name']}", f"sum by ({found['label']}) ({found['query']})"


def rule_queries():
    rule = yaml.safe_load(
        (K8S / "components" / "prometheus-rule" / "prometheusrule.yaml").read_text(encoding="utf-8")
    )
    for group in rule["spec"]["groups"]:
        for alert in group["rules"]:
            yield f"alert {alert['alert']}", alert["expr"]


def keda_queries():
    made = yaml.safe_load(
        (K8S / "components" / "keda" / "scaledobject.yaml").read_text(encoding="utf-8")
    )
    for trigger in made["spec"]["triggers"]:
        if trigger["type"] == "prometheus":
            yield "keda", trigger["metadata"]["query"]


def documented_queries():
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for i, block in enumerate(re.findall(r"```promql\n(.*?)```", text, re.DOTALL)):
        yield f"operations.md, query {i + 1}", block


QUERIES = [*dashboard_queries(), *rule_queries(), *keda_queries(), *documented_queries()]


def parse(query):
    for name, value in GRAFANA.items():
        query = query.replace(name, value)
    return promql_parser.parse(query)


def walk(expression):
    """Yield an expression and everything below it."""
    yield expression
    below = [getattr(expression, name, None) for name in ("expr", "lhs", "rhs", "vector_selector")]
    for part in [*below, *getattr(expression, "args", [])]:
        if part is not None:
            yield from walk(part)


def selectors(query):
    for part in walk(parse(query)):
        if isinstance(part, promql_parser.VectorSelector):
            yield part


def grouping_labels(query):
    """Yield the labels that a query groups and joins by."""
    for part in walk(parse(query)):
        modifier = getattr(part, "modifier", None)
        if isinstance(part, promql_parser.AggregateExpr) and modifier is not None:
            yield from modifier.labels
        if isinstance(part, promql_parser.BinaryExpr) and modifier is not None:
            yield from getattr(modifier.matching, "labels", None) or []


@pytest.mark.parametrize(("where", "query"), QUERIES, ids=[where for where, _ in QUERIES])
def test_every_metric_and_label_of_a_query_is_registered(where, query, metric_labels):
    found = list(selectors(query))
    assert found, where
    metric_labels = metric_labels | OTHERS
    for selector in found:
        assert selector.name in metric_labels, (where, selector.name)
        known = metric_labels[selector.name] | TARGET_LABELS
        asked = {matcher.name for matcher in selector.matchers.matchers}
        assert asked <= known, (where, selector.name, asked - known)
    known = TARGET_LABELS.union(*(metric_labels[selector.name] for selector in found))
    assert set(grouping_labels(query)) <= known, where


def test_a_query_for_an_unknown_metric_or_label_would_be_found(metric_labels):
    (selector,) = selectors('sum by (lane) (rate(patsum_requests_total{rout="x"}[5m]))')
    assert selector.name in metric_labels
    assert {m.name for m in selector.matchers.matchers} - metric_labels[selector.name] == {"rout"}
    assert list(grouping_labels("sum by (lane) (patsum_ready)")) == ["lane"]
    assert list(grouping_labels("patsum_ready and on (lan) patsum_draining")) == ["lan"]


def test_labels_with_a_fixed_set_of_values_are_asked_for_no_other(paths):
    values = {
        "reason": {reason.value for reason in Rejection},
        "feature": set(CPU_FEATURES),
        "route": set(paths),
    }
    for where, query in QUERIES:
        for selector in selectors(query):
            if selector.name in OTHERS:
                continue
            for matcher in selector.matchers.matchers:
                for value in matcher.value.split("|") if matcher.name in values else []:
                    known = values[matcher.name]
                    assert any(re.fullmatch(value, one) for one in known), (where, value)


def test_the_alert_of_absence_names_the_namespace_that_prod_is_in(prod):
    rule = prod["PrometheusRule", "patsum"]
    (query,) = [a["expr"] for a in rule["spec"]["groups"][0]["rules"] if "absent" in a["expr"]]
    (selector,) = selectors(query)
    asked = {m.name: m.value for m in selector.matchers.matchers}
    assert asked == {"namespace": rule["metadata"]["namespace"]}


def test_shares_of_requests_leave_probes_and_pages_out():
    work = "/v1/.+|/v2/.+/infer"
    for where, query in QUERIES:
        for selector in selectors(query):
            if selector.name == "patsum_requests_total" and " / " in " ".join(query.split()):
                asked = {m.name: m.value for m in selector.matchers.matchers}
                assert asked.get("route") == work, where


def test_the_scaler_asks_for_its_own_namespace(prod):
    made = prod["ScaledObject", "patsum"]
    query = made["spec"]["triggers"][0]["metadata"]["query"]
    for selector in selectors(query):
        asked = {m.name: m.value for m in selector.matchers.matchers}
        assert asked == {"namespace": made["metadata"]["namespace"]}
