"""Names and shapes of the state dicts published with ELCRec, in terms of ours."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from elcrec.errors import RunError

_TOP = {
    "item_embeddings.weight": "encoder.item_embedding.weight",
    "position_embeddings.weight": "encoder.position_embedding.weight",
    "LayerNorm.weight": "encoder.norm.weight",
    "LayerNorm.bias": "encoder.norm.bias",
    "cluster_centers": "centers.weight",
}
_IN_LAYER = {
    "attention.dense": "attention_out",
    "attention.LayerNorm": "attention_norm",
    "intermediate.dense_1": "widen",
    "intermediate.dense_2": "narrow",
    "intermediate.LayerNorm": "output_norm",
}
_PARTS = ("query", "key", "value")
_LAYER = re.compile(r"item_encoder\.layer\.(\d+)\.")


def sizes(published: dict[str, Tensor]) -> dict[str, int]:
    """Settings, by our names, and ``n_items``, as the shapes of the tensors tell them.

    Raises:
        RunError: A tensor of the published layout is missing or of another shape.
    """
    _refuse_other_layout(published)
    n_rows, max_seq_len = (len(published[f"{table}_embeddings.weight"]) for table in ("item", "position"))
    return {
        "n_items": n_rows - 2,
        "embedding_dim": published["LayerNorm.weight"].numel(),
        "max_seq_len": max_seq_len,
        "n_intents": len(published["cluster_centers"]),
        "n_layers": len({match[1] for match in map(_LAYER.match, published) if match}),
    }


def _refuse_other_layout(published: dict[str, Tensor]) -> None:
    missing = [name for name in _TOP if name not in published]
    if missing:
        raise RunError(f"these are not published ELCRec weights: {', '.join(missing)} missing")
    width = published["LayerNorm.weight"].numel()
    for name in _TOP:
        shape = list(published[name].shape)
        if len(shape) != (1 if name.startswith("LayerNorm") else 2) or shape[-1] != width:
            raise RunError(f"these are not published ELCRec weights: {name} has shape {shape}")
    for name in (*_TOP, *filter(_LAYER.match, published)):
        if not published[name].is_floating_point():
            raise RunError(f"these are not published ELCRec weights: {name[:80]} holds {published[name].dtype}")


def translate(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our state dict from a published one: names changed, query, key and value stacked.

    Raises:
        RunError: A tensor of the published layout is missing or of another shape.
    """
    n_layers = sizes(published)["n_layers"]
    ours = {new: published[old].float() for old, new in _TOP.items()}
    for layer in range(n_layers):
        old, new = f"item_encoder.layer.{layer}", f"encoder.layers.{layer}"
        try:
            for kind in ("weight", "bias"):
                stacked = [published[f"{old}.attention.{part}.{kind}"] for part in _PARTS]
                ours[f"{new}.qkv.{kind}"] = torch.cat(stacked).float()
                for theirs, mine in _IN_LAYER.items():
                    ours[f"{new}.{mine}.{kind}"] = published[f"{old}.{theirs}.{kind}"].float()
        except KeyError as error:
            raise RunError(f"these are not published ELCRec weights: {error} missing") from None
        except RuntimeError as error:
            raise RunError(f"these are not published ELCRec weights: layer {layer}: {error}") from None
    return ours


def published_names(ours: dict[str, Tensor]) -> dict[str, Tensor]:
    """The way back: published names for tensors (weights or gradients) under our names."""
    back_top = {new: old for old, new in _TOP.items()}
    back_layer = {new: old for old, new in _IN_LAYER.items()}
    published: dict[str, Tensor] = {}
    for name, value in ours.items():
        if name in back_top:
            published[back_top[name]] = value
            continue
        layer, module, kind = name.removeprefix("encoder.layers.").split(".")
        prefix = f"item_encoder.layer.{layer}"
        if module == "qkv":
            for part, piece in zip(_PARTS, value.chunk(3), strict=True):
                published[f"{prefix}.attention.{part}.{kind}"] = piece
        else:
            published[f"{prefix}.{back_layer[module]}.{kind}"] = value
    return published
