"""Makes a model's position table small: only what the service can reach, segments added to it."""

import dataclasses

from service.errors import ExportError
from service.text.encode import EncoderSettings
from training.model.config import Positions
from training.model.extractive_model import ExtractiveModel

_POSITIONS = "encoder.embeddings.positions.weight"
_SEGMENTS = "encoder.embeddings.token_types.weight"


def crop_positions(model: ExtractiveModel, settings: EncoderSettings) -> ExtractiveModel:
    """Leave out the rows of the position table that no text can reach.

    Where positions count within the sentence, all tokens are of one segment: its row is added to
    every position's, and the segment table is left out.

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
    state = model.state_dict()
    state[_POSITIONS] = state[_POSITIONS][:n_rows]
    config = dataclasses.replace(model.config, max_positions=n_rows)
    if counts_in_sentence and config.token_types:
        state[_POSITIONS] = state[_POSITIONS] + state.pop(_SEGMENTS)[0]
        config = dataclasses.replace(config, token_types=0)
    cropped = ExtractiveModel(config)
    cropped.load_state_dict(state)
    return cropped.train(model.training)
