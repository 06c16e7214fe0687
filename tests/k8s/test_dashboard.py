"""Facts about the dashboard: Grafana can show it, and each panel says what it shows."""

import json

from tests.k8s.conftest import K8S
from tests.k8s.test_queries import dashboard, selectors

PANELS = {"row", "stat", "timeseries", "table"}
N_COLUMNS = 24


def panels():
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def test_panels_have_own_ids_known_types_and_a_title():
    every = dashboard()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    assert {panel["type"] for panel in every} == PANELS
    assert all(panel["title"] for panel in every)


def test_panels_do_not_overlap():
    taken = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= N_COLUMNS, panel["title"]
        columns, rows = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
        cells = {(x, y) for x in columns for y in rows}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_query_goes_to_the_chosen_data_source():
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"


def test_every_query_keeps_to_the_chosen_namespace_and_pods():
    for panel in panels():
        for target in panel["targets"]:
            for selector in selectors(target["expr"]):
                if selector.name == "patsum_build_info" and " and on " in target["expr"]:
                    continue  # only there to tell our processes from others
                asked = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
                assert (asked["namespace"], asked["pod"]) == ("$namespace", "$pod"), panel["title"]


def test_names_in_legends_are_labels_of_the_query(metric_labels):
    for panel in panels():
        for target in panel["targets"]:
            for part in target["legendFormat"].split("{{")[1:]:
                label = part.split("}}")[0]
                known = set().union(*(metric_labels[s.name] for s in selectors(target["expr"])))
                assert label in known | {"pod", "namespace"}, (panel["title"], label)


def test_config_map_carries_the_dashboard_as_it_is(prod):
    made = prod["ConfigMap", "patsum-dashboard"]
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(made["data"]["patsum.json"]) == dashboard()
    size = (K8S / "components" / "grafana-dashboard" / "patsum.json").stat().st_size
    assert size < 1_000_000  # a ConfigMap holds 1 MiB
