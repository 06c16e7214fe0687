"""Checkpoints: what is written reads back, and what is no checkpoint is refused."""

import os

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from service.errors import CheckpointError
from tests.tiny_encoder import tiny_bert
from tests.tiny_model import tiny_model
from training.fit.checkpoint import average_into, load_model, read_state, save_model, write_state
from training.model.pretrained import from_pretrained_encoder

HUB_NAME = "someone/tiny-encoder"


@pytest.fixture
def fitted(tiny_encoder):
    """A model whose second layer and scorer are no longer the pretrained ones."""
    torch.manual_seed(5)
    model = from_pretrained_encoder(str(tiny_encoder), document_width=16, document_layers=1)
    with torch.no_grad():
        for parameter in model.encoder.layers[1].parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def test_full_checkpoint_reads_back_bit_by_bit(tmp_path):
    model = tiny_model()
    save_model(model, tmp_path / "model.safetensors", note="ROUGE-1 40.00")
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.config == model.config
    for name, weight in loaded.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name]), name


def test_compact_checkpoint_reads_back_within_float16(fitted, tiny_encoder, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(fitted, path, base=HUB_NAME, base_at=str(tiny_encoder))
    loaded = load_model(path, base=str(tiny_encoder)).state_dict()
    for name, weight in fitted.state_dict().items():
        is_pretrained = name.startswith(("encoder.embeddings.", "encoder.layers.0."))
        rtol, atol = (0.0, 0.0) if is_pretrained else (1e-3, 1e-6)
        torch.testing.assert_close(loaded[name], weight, rtol=rtol, atol=atol)


def test_compact_checkpoint_leaves_out_what_is_public(fitted, tiny_encoder, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(fitted, path, base=HUB_NAME, base_at=str(tiny_encoder))
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        assert file.metadata()["base"] == HUB_NAME
        assert file.get_tensor("scorer.score.weight").dtype == torch.float16
    assert {name for name in names if not name.startswith("scorer.")} == {
        f"encoder.layers.1.{name}" for name in fitted.encoder.layers[1].state_dict()
    }
    assert {name for name in names if name.startswith("scorer.")} == {
        f"scorer.{name}" for name in fitted.scorer.state_dict()
    }
    assert str(tiny_encoder).encode() not in path.read_bytes()


def test_model_on_another_encoder_is_refused(fitted, tiny_encoder, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(fitted, path, base=HUB_NAME, base_at=str(tiny_encoder))
    tiny_bert(num_hidden_layers=3).save_pretrained(tmp_path / "three")
    with pytest.raises(CheckpointError, match="belongs to another base encoder"):
        load_model(path, base=str(tmp_path / "three"))


def test_model_on_another_encoder_of_the_same_shape_is_refused(fitted, tiny_encoder, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(fitted, path, base=HUB_NAME, base_at=str(tiny_encoder))
    other = tiny_bert()
    with torch.no_grad():
        other.encoder.layer[0].output.dense.bias.add_(1e-3)
    other.save_pretrained(tmp_path / "other")
    with pytest.raises(CheckpointError, match=rf"another base encoder .* give the '{HUB_NAME}'"):
        load_model(path, base=str(tmp_path / "other"))


def test_compact_checkpoint_without_the_hash_of_its_base_is_read(fitted, tiny_encoder, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(fitted, path, base=HUB_NAME, base_at=str(tiny_encoder))
    expected = load_model(path, base=str(tiny_encoder)).state_dict()
    with safe_open(path, framework="pt") as file:
        metadata = {k: v for k, v in file.metadata().items() if k != "base_sha256"}
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(weights, path, metadata)
    loaded = load_model(path, base=str(tiny_encoder)).state_dict()
    assert all(torch.equal(loaded[name], weight) for name, weight in expected.items())


def test_missing_model_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="expected a model of patsum in"):
        load_model(tmp_path / "gone.safetensors")


def test_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"not a model at all")
    with pytest.raises(CheckpointError, match="expected a model of patsum in"):
        load_model(path)


def test_model_of_another_project_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(2)}, path, {"format": "pt"})
    with pytest.raises(CheckpointError, match="expected a model of patsum in"):
        load_model(path)


def test_state_reads_back(tmp_path):
    path = tmp_path / "new" / "state.pt"
    write_state({"step": 3, "weight": torch.arange(4)}, path)
    state = read_state(path)
    assert state["step"] == 3
    assert state["weight"].tolist() == [0, 1, 2, 3]
    assert [file.name for file in path.parent.iterdir()] == ["state.pt"]


def test_state_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    path = tmp_path / "state.pt"
    names = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (fsync(file), names.append(path.exists())))
    write_state({"step": 3}, path)
    assert names == [False]


@pytest.mark.parametrize("content", [b"", b"torn", b"PK\x03\x04" + bytes(64)])
def test_damaged_state_is_refused(tmp_path, content):
    path = tmp_path / "state.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="expected a resumable state"):
        read_state(path)


def test_average_moves_towards_the_present_weights():
    model = tiny_model()
    average = {"scorer.score.bias": torch.tensor([1.0])}
    with torch.no_grad():
        model.scorer.score.bias.fill_(2.0)
    average_into(average, model, decay=0.9)
    assert average["scorer.score.bias"].item() == pytest.approx(1.1)
