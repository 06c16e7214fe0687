"""Facts about the alerts: each has a runbook, and each fires when it should and rests when not."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.k8s.conftest import ROOT
from tests.k8s.test_agrees_with_code import memory_bytes

CASES = Path(__file__).parent / "alert_cases.yaml"
OPERATIONS = ROOT / "docs" / "operations.md"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed; make system brings it"
)


@pytest.fixture(scope="module")
def alerts(prod):
    rule = prod["PrometheusRule", "patsum"]
    return [alert for group in rule["spec"]["groups"] for alert in group["rules"]]


@pytest.fixture
def rule_file(prod, tmp_path):
    """The rules as Prometheus itself reads them, beside their cases."""
    spec = prod["PrometheusRule", "patsum"]["spec"]
    (tmp_path / "rules.yaml").write_text(json.dumps(spec), encoding="utf-8")
    shutil.copy(CASES, tmp_path / "cases.yaml")
    return tmp_path / "rules.yaml"


def anchors(page):
    """Give the anchors of a page's headings, as GitHub and GitLab make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings]


def test_every_alert_has_one_section_in_the_runbook(alerts):
    for alert in alerts:
        anchor = alert["annotations"]["runbook_url"].partition("#")[2]
        assert anchor == alert["alert"].lower()
        assert anchors(OPERATIONS).count(anchor) == 1, anchor


def test_every_section_of_the_runbook_has_an_alert(alerts):
    names = re.findall(r"^### (Patsum\w+)$", OPERATIONS.read_text("utf-8"), re.MULTILINE)
    assert names == [alert["alert"] for alert in alerts]


def test_memory_alert_is_nine_tenths_of_the_limit(alerts, prod):
    (expression,) = [a["expr"] for a in alerts if a["alert"] == "PatsumMemory"]
    (container,) = prod["Deployment", "patsum"]["spec"]["template"]["spec"]["containers"]
    limit = memory_bytes(container["resources"]["limits"]["memory"])
    assert int(re.search(r"> (\d+)", expression).group(1)) == round(0.9 * limit)


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_rests(alerts):
    cases = yaml.safe_load(CASES.read_text(encoding="utf-8"))["tests"]
    seen = {True: set(), False: set()}
    for case in cases:
        for check in case["alert_rule_test"]:
            seen[bool(check["exp_alerts"])].add(check["alertname"])
    names = {alert["alert"] for alert in alerts}
    assert seen == {True: names, False: names}


@needs_promtool
def test_prometheus_itself_accepts_the_rules(rule_file):
    run = subprocess.run(["promtool", "check", "rules", rule_file], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr + run.stdout


@needs_promtool
def test_alerts_fire_and_rest_as_their_cases_say(rule_file):
    cases = rule_file.with_name("cases.yaml")
    run = subprocess.run(["promtool", "test", "rules", cases], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr + run.stdout
