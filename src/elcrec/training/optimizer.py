"""Adam over all weights, or lazily over the item table and the embeddings of item features."""

from __future__ import annotations

import torch
from torch import Tensor

from elcrec.config import Settings
from elcrec.model.network import ELCRecNetwork
from elcrec.training.distributed import Team

REPEAT_RATE = 10.0
"""Repeat scores learn so many times as fast as the encoder, which needs large batches: these leave few steps for what
is known of a single item."""


class Optimizer:
    """Adam; with ``item_updates`` ``touched``, items and features that a step has not seen stay as they are.

    So do their moments. Source: Kingma and Ba 2015. The lazy form differs from Adam in that moments of what is unseen
    do not decay.
    """

    def __init__(self, network: ELCRecNetwork, settings: Settings, team: Team = Team()) -> None:  # noqa: B008
        """No moments yet."""
        self._team = team
        lazy = _sparse_weights(network) if settings.item_updates == "touched" else []
        repeats = [] if network.repeats is None else list(network.repeats.parameters())
        apart = {id(weight) for weight in (*repeats, *lazy)}
        others = [weight for weight in network.parameters() if id(weight) not in apart]
        self._rate = settings.learning_rate
        groups = [{"params": others, "faster": 1.0}, {"params": repeats, "faster": REPEAT_RATE}]
        self._parts: list[torch.optim.Optimizer] = [
            torch.optim.Adam(
                groups if repeats else others, lr=self._rate, weight_decay=settings.weight_decay, fused=True
            )
        ]
        if lazy:
            self._parts.append(torch.optim.SparseAdam(lazy, lr=self._rate))

    def backward(self, loss: Tensor) -> None:
        """Work out the gradient of a loss, and nothing from before."""
        for part in self._parts:
            part.zero_grad()
        loss.backward()
        groups = [group for part in self._parts for group in part.param_groups]
        self._team.sum_gradients(weight for group in groups for weight in group["params"])

    def step(self, share: float = 1.0) -> None:
        """Go down the gradient with a share of the step size, 0 to 1."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = self._rate * share * group.get("faster", 1.0)
            part.step()

    def tensors(self) -> dict[str, Tensor]:
        """The moments, by place and name."""
        return {
            f"{number}.{index}.{name}": value if isinstance(value, Tensor) else torch.tensor(value)
            for number, part in enumerate(self._parts)
            for index, state in part.state_dict()["state"].items()
            for name, value in state.items()
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Put back what :meth:`tensors` gave.

        Raises:
            KeyError: Moments are missing.
        """
        for number, part in enumerate(self._parts):
            moments: dict[int, dict[str, Tensor | int]] = {}
            for name, value in tensors.items():
                owner, index, key = name.split(".")
                if int(owner) == number:
                    # SparseAdam counts its steps in Python; as a tensor they would round its powers otherwise.
                    counted = key == "step" and isinstance(part, torch.optim.SparseAdam)
                    moments.setdefault(int(index), {})[key] = int(value) if counted else value
            if not moments:
                raise KeyError("the optimiser's state is missing")
            part.load_state_dict({**part.state_dict(), "state": moments})


def _sparse_weights(network: ELCRecNetwork) -> list[Tensor]:
    """Weights whose gradients hold only the rows that a step touches: the item table and embeddings of features."""
    embedding = network.item_table.of_features
    return [network.item_table.weight, *([] if embedding is None else [embedding.weight])]
