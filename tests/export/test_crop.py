"""Cropping drops positions that cannot be reached, and nothing else."""

import dataclasses

import pytest
import torch

from export.crop import crop_positions
from service.errors import ExportError
from service.text.encode import EncoderSettings
from tests.export.documents import random_document
from training.model.config import Positions
from training.model.extractive_model import ExtractiveModel


def test_cropping_keeps_every_score(small_student):
    document = {k: torch.from_numpy(v)[None] for k, v in random_document(1, 9, 20).items()}
    cropped = crop_positions(small_student, EncoderSettings(max_tokens=500, max_sentence_tokens=20))
    assert cropped.encoder.embeddings.positions.num_embeddings == 20
    assert cropped.config.token_types == 0
    with torch.no_grad():
        torch.testing.assert_close(
            cropped(**document), small_student(**document), atol=1e-5, rtol=1e-5
        )


def test_reading_further_than_the_positions_go_is_refused(small_student):
    config = dataclasses.replace(small_student.config, positions=Positions.DOCUMENT)
    with pytest.raises(ExportError, match="at most 64 tokens"):
        crop_positions(ExtractiveModel(config), EncoderSettings(65, 32))
    crop_positions(ExtractiveModel(config), EncoderSettings(64, 32))
