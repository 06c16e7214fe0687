"""Cuts a model's position table to the positions that the service can reach."""

import dataclasses

from service.errors import ExportError
from service.text.encode import EncoderSettings
from training.model.config import Positions
from training.model.extractive_model import ExtractiveModel

_TABLE = "encoder.embeddings.positions.weight"


def crop_positions(model: ExtractiveModel, settings: EncoderSettings) -> ExtractiveModel:
    """Leave out the rows of the position table that no text can reach.

    Args:
        model: the student; it is not changed.
        settings: how much of a text the service reads.

    Returns:
        A model with the same scores for every text that the service reads.

    Raises:
        ExportError: the service would read further than the model has positions.
    """
    counts_in_sentence = model.config.positions is Positions.SENTENCE
    reach = settings.max_sentence_tokens if counts_in_sentence else settings.max_tokens
    n_rows = reach + model.config.position_offset
    if n_rows > model.config.max_positions:
        raise ExportError(
            f"expected at most {model.config.max_positions - model.config.position_offset} tokens "
            f"to read, as many as the model has positions for, got {reach}; lower --max-tokens"
        )
    cropped = ExtractiveModel(dataclasses.replace(model.config, max_positions=n_rows))
    state = model.state_dict()
    cropped.load_state_dict({**state, _TABLE: state[_TABLE][:n_rows]})
    return cropped.train(model.training)
