"""A pretrained encoder of two layers in a folder, as transformers would save a large one."""

import torch
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
)

from tests.tiny_bundle import tiny_tokenizer

SHAPE = {
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 48,
}


def tiny_bert(**changes):
    """A BERT over the tiny vocabulary, new, in eval mode."""
    torch.manual_seed(3)
    vocabulary = tiny_tokenizer().get_vocab_size()
    config = BertConfig(vocab_size=vocabulary, max_position_embeddings=128, **{**SHAPE, **changes})
    return BertModel(config, add_pooling_layer=False).eval()


def tiny_roberta():
    """The same as a RoBERTa: one segment, positions from 2 on."""
    torch.manual_seed(3)
    vocabulary = tiny_tokenizer().get_vocab_size()
    config = RobertaConfig(
        vocab_size=vocabulary, max_position_embeddings=130, type_vocab_size=1, **SHAPE
    )
    return RobertaModel(config, add_pooling_layer=False).eval()


def write_tiny_encoder(folder):
    """Write a BERT and its tokenizer."""
    tiny_bert().save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tiny_tokenizer(),
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder)
