"""The token encoder: the BERT of transformers without patterns; with them, sentences stay apart."""

import json

import pytest
import torch
from transformers import DistilBertConfig, DistilBertModel

from service.errors import CheckpointError
from tests.padded_batch import padded_batch
from tests.tiny_encoder import tiny_bert, tiny_roberta
from tests.tiny_model import tiny_model
from training.model.layout import lay_out
from training.model.patterns import Pattern
from training.model.pretrained import from_pretrained_encoder
from training.pretrained_tokenizer import load_pretrained_tokenizer

BATCH = ([[2, 40, 41, 3], [2, 50, 3], [2, 40, 60, 3]], [[2, 70, 3]])


def read_both(theirs, folder, pad_id):
    """The same batch through our encoder and through theirs; (real tokens, width) each."""
    theirs.save_pretrained(folder)
    ours = from_pretrained_encoder(str(folder)).eval()
    token_ids, sentence_ids = padded_batch(*BATCH)
    is_real = sentence_ids >= 0
    with torch.no_grad():
        expected = theirs(
            input_ids=token_ids.masked_fill(~is_real, pad_id),
            attention_mask=is_real.long(),
            token_type_ids=sentence_ids.clamp(min=0) % theirs.config.type_vocab_size,
        ).last_hidden_state
        found = ours.encoder(lay_out(token_ids, sentence_ids))
    return found[is_real], expected[is_real]


def test_bert_of_transformers_agrees(tmp_path):
    found, expected = read_both(tiny_bert(), tmp_path, pad_id=0)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_roberta_of_transformers_agrees(tmp_path):
    found, expected = read_both(tiny_roberta(), tmp_path, pad_id=1)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_sentence_does_not_know_its_neighbours_where_all_heads_stay_inside():
    encoder = tiny_model(plan=((Pattern.INTRA_SENTENCE,) * 4,) * 2).encoder.eval()
    with torch.no_grad():
        document = encoder(lay_out(*padded_batch(BATCH[0])))[0]
        alone = [encoder(lay_out(*padded_batch([sentence])))[0] for sentence in BATCH[0]]
    torch.testing.assert_close(document, torch.cat(alone), rtol=1e-5, atol=1e-5)


def test_encoder_with_another_activation_is_refused(tmp_path):
    tiny_bert(hidden_act="relu").save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="expected an encoder with GELU"):
        from_pretrained_encoder(str(tmp_path))


def test_encoder_that_is_not_like_bert_is_refused(tmp_path):
    config = DistilBertConfig(vocab_size=30, dim=8, n_heads=2, n_layers=1, hidden_dim=8)
    DistilBertModel(config).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"expected a BERT-like .* got 'distilbert'"):
        from_pretrained_encoder(str(tmp_path))


def test_folder_without_an_encoder_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="expected a pretrained encoder at"):
        from_pretrained_encoder(str(tmp_path))


def test_encoder_that_lacks_weights_is_refused(tmp_path):
    tiny_bert().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "num_hidden_layers": 3}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"whole encoder .* none for 16 of its tensors"):
        from_pretrained_encoder(str(tmp_path))


@pytest.mark.parametrize("change", [{"intermediate_size": 40}, {"vocab_size": 9}])
def test_encoder_whose_weights_have_another_shape_is_refused(tmp_path, change):
    tiny_bert().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, **change}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="expected a pretrained encoder at"):
        from_pretrained_encoder(str(tmp_path))


def test_damaged_encoder_is_refused(tmp_path):
    tiny_bert().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(CheckpointError, match="name its folder with --encoder"):
        from_pretrained_encoder(str(tmp_path))


def test_folder_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="expected the tokenizer of a pretrained encoder"):
        load_pretrained_tokenizer(str(tmp_path))
