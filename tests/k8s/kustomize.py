"""A small kustomize: builds the folders of k8s/ without the program.

It knows what our files use and refuses the rest: resources, components, patches (strategic merge,
`$patch: delete`), images, labels, namespace, configMapGenerator. A test holds it against the real
program wherever that is installed.
"""

import json
from copy import deepcopy
from pathlib import Path

import yaml

FEATURES = {
    *("apiVersion", "kind", "resources", "components", "patches"),
    *("images", "labels", "namespace", "configMapGenerator"),
}
CLUSTER_WIDE = {"Namespace"}
MERGE_KEYS = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath"}
"""Lists that Kubernetes merges by a key of their items; all others are replaced whole."""


def build(folder):
    """Build a folder with a kustomization.yaml; give the objects by (kind, name)."""
    return _build(Path(folder), {})


def _build(folder, objects):
    plan = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    unknown = set(plan) - FEATURES
    assert not unknown, f"{folder}: the small kustomize does not know {unknown}"
    for name in plan.get("resources", []):
        path = folder / name
        added = _build(path, {}) if path.is_dir() else _load(path.read_text(encoding="utf-8"))
        assert not set(added) & set(objects), f"{path}: {set(added) & set(objects)} is there twice"
        objects |= added
    for generator in plan.get("configMapGenerator", []):
        made = _make_config_map(folder, generator)
        objects[made["kind"], made["metadata"]["name"]] = made
    for name in plan.get("components", []):
        objects = _build(folder / name, objects)
    for patch in plan.get("patches", []):
        text = patch.get("patch") or (folder / patch["path"]).read_text(encoding="utf-8")
        for key, change in _load(text).items():
            assert key in objects, f"{folder}: patches {key}, which is not there"
            if change.get("$patch") == "delete":
                del objects[key]
            else:
                objects[key] = merge(objects[key], change)
    for image in plan.get("images", []):
        objects = {key: _rename_image(value, image) for key, value in objects.items()}
    for labels in plan.get("labels", []):
        for value in objects.values():
            _add_labels(value, labels["pairs"], labels["includeTemplates"])
    if "namespace" in plan:
        for (kind, _), value in objects.items():
            if kind not in CLUSTER_WIDE:
                value["metadata"]["namespace"] = plan["namespace"]
    return objects


def _load(text):
    # A trip through JSON unfolds YAML's anchors, so that no two objects share a part.
    documents = json.loads(json.dumps(list(yaml.safe_load_all(text))))
    return {(d["kind"], d["metadata"]["name"]): d for d in documents if d}


def _make_config_map(folder, generator):
    options = generator["options"]
    assert options.pop("disableNameSuffixHash"), "the small kustomize makes no hashes"
    data = {name: (folder / name).read_text(encoding="utf-8") for name in generator["files"]}
    metadata = {"name": generator["name"], **options}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _add_labels(value, pairs, include_templates):
    value["metadata"]["labels"] = value["metadata"].get("labels", {}) | pairs
    if include_templates and value["kind"] == "Deployment":
        _add_labels(value["spec"]["template"] | {"kind": "Pod"}, pairs, include_templates)


def merge(value, change, field=None):
    """Merge a strategic-merge patch into a value."""
    if isinstance(value, dict) and isinstance(change, dict):
        merged = deepcopy(value)
        for name, part in change.items():
            merged[name] = merge(merged[name], part, name) if name in merged else deepcopy(part)
        return merged
    if isinstance(value, list) and field in MERGE_KEYS:
        key = MERGE_KEYS[field]
        merged = {item[key]: item for item in value}
        for item in change:
            merged[item[key]] = merge(merged.get(item[key], {}), item)
        return list(merged.values())
    return deepcopy(change)


def _rename_image(value, image):
    if isinstance(value, list):
        return [_rename_image(item, image) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: f"{image['newName']}:{image['newTag']}"
        if name == "image" and part == image["name"]
        else _rename_image(part, image)
        for name, part in value.items()
    }
