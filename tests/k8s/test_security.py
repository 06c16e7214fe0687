"""Facts about what the pods may do: next to nothing."""

import re

from tests.k8s.conftest import OVERLAYS, ROOT
from tests.k8s.test_agrees_with_code import containers, pods


def test_pods_run_as_the_images_user_under_the_restricted_profile(everything):
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for where, pod in pods(everything):
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, where
        assert (context["runAsUser"], context["runAsGroup"]) == (65532, 65532), where
        assert user.groups() == ("65532", "65532")
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, where


def test_containers_write_nothing_and_gain_nothing(everything):
    for where, _, container in containers(everything):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, where


def test_pods_get_no_token(everything, base):
    for where, pod in pods(everything):
        assert pod["automountServiceAccountToken"] is False, where
    assert base["ServiceAccount", "patsum"]["automountServiceAccountToken"] is False


def test_nothing_leaves_the_pod_unless_traces_are_asked_for(everything, build_with):
    for where, made in everything:
        if made["kind"] == "NetworkPolicy" and where != "base+otlp":
            assert "Egress" in made["spec"]["policyTypes"], where
            assert made["spec"]["egress"] == [], where
    assert build_with("otlp")["NetworkPolicy", "patsum"]["spec"]["egress"] != []


def test_otlp_policy_opens_the_port_of_the_endpoint(build_with):
    objects = build_with("otlp")
    (container,) = objects["Deployment", "patsum"]["spec"]["template"]["spec"]["containers"]
    endpoint = {v["name"]: v.get("value") for v in container["env"]}["PATSUM_OTLP_ENDPOINT"]
    host, port = re.fullmatch(r"http://(.+):(\d+)", endpoint).groups()
    rule = objects["NetworkPolicy", "patsum"]["spec"]["egress"][0]
    assert rule["ports"] == [{"port": int(port)}]
    (peer,) = rule["to"]
    namespace = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    assert host.split(".")[1] == namespace


def test_namespaces_of_the_overlays_enforce_the_restricted_profile(everything):
    namespaces = [made for _, made in everything if made["kind"] == "Namespace"]
    assert len(namespaces) == len(OVERLAYS)
    for made in namespaces:
        for mode in ("enforce", "warn", "audit"):
            label = f"pod-security.kubernetes.io/{mode}"
            assert made["metadata"]["labels"][label] == "restricted"


def test_no_image_is_pulled_by_a_moving_tag(everything):
    for where, _, container in containers(everything):
        if not where.startswith("base"):
            assert not container["image"].endswith(":latest"), where
            assert ":" in container["image"].rpartition("/")[2], where
