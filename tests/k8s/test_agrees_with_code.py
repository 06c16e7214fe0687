"""Facts that tie the manifests to the code: ports, paths, variables, times, names."""

import re

import pytest

from service.api.settings import ENV_PREFIX, Settings
from tests.k8s.conftest import K8S, OVERLAYS, ROOT
from tests.k8s.kustomize import build

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def seconds(text):
    """Read a duration such as 15s."""
    return float(re.fullmatch(r"([0-9.]+)s", text).group(1))


def memory_bytes(text):
    """Read a quantity of memory such as 1536Mi."""
    number, unit = re.fullmatch(r"([0-9]+)(Mi|Gi)", text).groups()
    return int(number) * {"Mi": 2**20, "Gi": 2**30}[unit]


def pods(everything):
    """Yield each description of a pod, with where it is from."""
    for where, made in everything:
        if made["kind"] == "Deployment":
            yield where, made["spec"]["template"]["spec"]
        elif made["kind"] == "InferenceService":
            yield where, made["spec"]["predictor"]


def containers(everything):
    return [(where, pod, c) for where, pod in pods(everything) for c in pod["containers"]]


def environment(container):
    return {variable["name"]: variable for variable in container["env"]}


def port_number(container, port):
    """Find the number of a port that is given by number or by name."""
    named = {p.get("name"): p["containerPort"] for p in container["ports"]}
    return named.get(port, port)


@pytest.fixture(scope="module")
def dockerfile():
    return (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_every_variable_is_a_setting_and_every_value_fits_it(everything):
    for where, _, container in containers(everything):
        for name, variable in environment(container).items():
            field = name.removeprefix(ENV_PREFIX).lower()
            assert name == ENV_PREFIX + field.upper(), (where, name)
            assert field in Settings.model_fields, (where, name)
            if "value" in variable:
                Settings(**{field: variable["value"]})


def test_ports_are_the_settings_defaults(everything, settings):
    for where, _, container in containers(everything):
        assert "PATSUM_PORT" not in environment(container), where
        ports = {port["containerPort"] for port in container["ports"]}
        assert settings.port in ports <= {settings.port, settings.metrics_port}, where


def test_image_exposes_the_settings_ports(dockerfile, settings):
    (exposed,) = re.findall(r"^EXPOSE (.*)$", dockerfile, re.MULTILINE)
    assert exposed.split() == [str(settings.port), str(settings.metrics_port)]


def test_every_probe_asks_a_path_and_a_port_that_exist(everything, settings, routes):
    for where, _, container in containers(everything):
        for name in PROBES:
            request = container[name]["httpGet"]
            assert request["path"] in routes, (where, name)
            assert port_number(container, request["port"]) == settings.port, (where, name)


def test_liveness_does_not_depend_on_readiness(everything):
    for where, _, container in containers(everything):
        path = container["livenessProbe"]["httpGet"]["path"]
        assert path in ("/livez", "/v2/health/live"), where


def test_healthcheck_of_the_image_asks_a_path_that_exists(dockerfile, routes, settings):
    (path,) = re.findall(r"c\.request\('GET', '(.+?)'\)", dockerfile)
    assert path in routes
    assert f"or {settings.port})" in dockerfile


def test_workers_come_from_the_cpu_limit(everything):
    for where, _, container in containers(everything):
        reference = environment(container)["PATSUM_WORKERS"]["valueFrom"]["resourceFieldRef"]
        assert reference == {"resource": "limits.cpu", "divisor": "1"}, where
        assert environment(container)["PATSUM_THREADS"]["value"] == "1", where
        assert float(container["resources"]["limits"]["cpu"]).is_integer(), where


def test_memory_limit_holds_all_workers(everything, settings):
    # The figures of docs/operations.md, "Sizing"; `make image-check` measures them.
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    found = re.search(r"At most (\d+) MiB at rest, and (\d+) MiB for each document", page)
    rest_mib, document_mib = map(int, found.groups())
    check = (ROOT / "image" / "check.py").read_text(encoding="utf-8")
    assert f"\nMAX_REST_MIB = {rest_mib}\nMAX_DOCUMENT_MIB = {document_mib}\n" in check
    for where, _, container in containers(everything):
        limits = container["resources"]["limits"]
        n_workers = int(limits["cpu"]) + settings.occlusion_workers
        assert memory_bytes(limits["memory"]) >= (rest_mib + document_mib * n_workers) * 2**20, (
            where
        )


def test_grace_period_holds_sleep_drain_and_shutdown(everything):
    for where, pod, container in containers(everything):
        variables = environment(container)
        needed = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        for name in ("PATSUM_DRAIN_S", "PATSUM_GRACEFUL_SHUTDOWN_S"):
            needed += float(variables[name]["value"])
        assert pod["terminationGracePeriodSeconds"] >= needed + 5, where


def test_proxies_wait_longer_than_the_deadline(prod, everything, settings):
    for rule in prod["HTTPRoute", "patsum"]["spec"]["rules"]:
        assert seconds(rule["timeouts"]["request"]) > settings.deadline_s
    for _, made in everything:
        if made["kind"] == "InferenceService":
            assert made["spec"]["predictor"]["timeout"] > settings.deadline_s


def test_shutdown_outlasts_the_deadline(everything, settings):
    for where, _, container in containers(everything):
        value = float(environment(container)["PATSUM_GRACEFUL_SHUTDOWN_S"]["value"])
        assert value > settings.deadline_s, where


def test_service_links_are_off_or_the_service_would_set_our_port(everything):
    for where, pod in pods(everything):
        assert pod["enableServiceLinks"] is False, where


def test_selectors_find_the_pods(everything):
    for where, made in everything:
        objects = [m for w, m in everything if w == where]
        deployments = [m for m in objects if m["kind"] == "Deployment"]
        if not deployments:
            continue
        labels = deployments[0]["spec"]["template"]["metadata"]["labels"]
        selector = {
            "Service": made["spec"].get("selector") if made["kind"] == "Service" else None,
            "Deployment": made.get("spec", {}).get("selector", {}).get("matchLabels"),
            "PodDisruptionBudget": made.get("spec", {}).get("selector", {}).get("matchLabels"),
            "NetworkPolicy": made.get("spec", {}).get("podSelector", {}).get("matchLabels"),
        }.get(made["kind"])
        assert selector is None or selector.items() <= labels.items(), (where, made["kind"])


def test_ports_are_found_by_service_monitor_route_and_policy(prod):
    (container,) = prod["Deployment", "patsum"]["spec"]["template"]["spec"]["containers"]
    names = {port["name"] for port in container["ports"]}
    service = prod["Service", "patsum"]
    ports = {port["name"]: port for port in service["spec"]["ports"]}
    assert {port["targetPort"] for port in ports.values()} == names
    monitor = prod["ServiceMonitor", "patsum"]["spec"]
    assert {endpoint["port"] for endpoint in monitor["endpoints"]} <= set(ports)
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (rule,) = prod["HTTPRoute", "patsum"]["spec"]["rules"]
    assert rule["backendRefs"] == [{"name": "patsum", "port": ports["http"]["port"]}]
    policy = prod["NetworkPolicy", "patsum"]["spec"]
    assert {p["port"] for rule in policy["ingress"] for p in rule["ports"]} == names


def test_something_scales_the_deployment_but_never_two_things(everything):
    for where in {where for where, _ in everything}:
        objects = [made for w, made in everything if w == where]
        scalers = [m for m in objects if m["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")]
        deployments = [m for m in objects if m["kind"] == "Deployment"]
        if deployments and "replicas" not in deployments[0]["spec"]:
            assert len(scalers) == 1, where
        else:
            assert scalers == [], where


def test_kserve_runs_the_same_container_as_the_deployment(prod, everything):
    (container,) = prod["Deployment", "patsum"]["spec"]["template"]["spec"]["containers"]
    (predictor,) = [m for _, m in everything if m["kind"] == "InferenceService"]
    (kserve,) = predictor["spec"]["predictor"]["containers"]
    same = ("image", "resources", "lifecycle", "securityContext")
    assert {k: kserve[k] for k in same} == {k: container[k] for k in same}
    ours = {n: v for n, v in environment(container).items() if n != "PATSUM_API_KEY"}
    assert environment(kserve) == ours


def test_green_stands_beside_prod_and_the_route_of_prod_may_reach_it(prod, build_with):
    green = build(K8S / "overlays" / "green")
    namespaces = {made["metadata"].get("namespace") for made in green.values()} - {None}
    assert namespaces == {
        made["metadata"]["name"] for made in green.values() if made["kind"] == "Namespace"
    }
    assert namespaces.isdisjoint(made["metadata"].get("namespace") for made in prod.values())
    route = prod["HTTPRoute", "patsum"]
    moved = build_with("http-route-green")["HTTPRoute", "patsum"]
    (rule,) = moved["spec"]["rules"]
    (backend,) = rule["backendRefs"]
    assert {backend.pop("namespace")} == namespaces
    assert moved["spec"] == route["spec"]  # but for the namespace
    assert ("Service", backend["name"]) in green
    grant = green["ReferenceGrant", "patsum"]["spec"]
    assert [one["namespace"] for one in grant["from"]] == [route["metadata"]["namespace"]]
    assert [one["name"] for one in grant["to"]] == [backend["name"]]


def test_policy_and_budget_of_kserve_mean_the_pods_that_kserve_makes():
    objects = build(K8S / "overlays" / "kserve")
    pods_of = {"serving.kserve.io/inferenceservice": "patsum"}
    assert ("InferenceService", "patsum") in objects
    assert objects["PodDisruptionBudget", "patsum"]["spec"]["selector"]["matchLabels"] == pods_of
    assert objects["NetworkPolicy", "patsum"]["spec"]["podSelector"]["matchLabels"] == pods_of


def test_everything_of_an_overlay_says_its_version_and_what_it_is_part_of():
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    for name in OVERLAYS:
        for made in build(K8S / "overlays" / name).values():
            labels = made["metadata"]["labels"]
            assert labels["app.kubernetes.io/part-of"] == "patsum", (name, made["kind"])
            assert labels["app.kubernetes.io/version"] == version.group(1), (name, made["kind"])
