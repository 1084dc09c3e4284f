"""Every intermediate value of the released program on one batch, for every reference file at hand."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from conftest import SHARED
from elcrec.config import resolve
from elcrec.data.batches import TokenBatch, lay_out
from elcrec.losses.bce import bce
from elcrec.losses.clustering import alignment, printed_cluster_loss, separation
from elcrec.losses.contrastive import nt_xent
from elcrec.model import published
from elcrec.model.encoder import pool
from elcrec.model.network import ELCRecNetwork
from elcrec.training.objective import Objective, StepInput
from elcrec.training.targets import Targets

BATCHES = [path for path in sorted((SHARED / "reference").glob("*_batch.npz"))]
WITH_WEIGHTS = [path for path in BATCHES if path.with_name(path.name.replace("_batch.npz", ".safetensors")).exists()]

pytestmark = pytest.mark.skipif(not WITH_WEIGHTS, reason=f"no X_batch.npz with X.safetensors in {SHARED}/reference")


class Released:
    """One reference batch, our network with its weights, and our computation of the joint loss."""

    def __init__(self, path: Path) -> None:
        self.fields = dict(np.load(path))
        self.settings = json.loads(str(self.fields["settings"]))
        weights = load_file(path.with_name(path.name.replace("_batch.npz", ".safetensors")))
        sizes = published.sizes(weights)
        self.n_items = sizes.pop("n_items")
        keys = ("fusion", "cluster_weight", "instance_weight", "intent_weight", "temperature")
        self.resolved = resolve(
            "paper", {**sizes, "n_heads": self.settings["heads"], **{key: self.settings[key] for key in keys}}
        )
        self.network = ELCRecNetwork(self.resolved, self.n_items).eval()
        self.network.load_state_dict(published.translate(weights))
        self.sequence = self.laid_out("input_ids")
        self.views = (self.laid_out("view_1"), self.laid_out("view_2"))

    def tensor(self, name: str) -> torch.Tensor:
        return torch.from_numpy(self.fields[name])

    def laid_out(self, name: str) -> TokenBatch:
        """The reference's left-padded rows, as histories that fill all columns; item 0 is padding either way."""
        rows = self.tensor(name)
        return lay_out(rows, torch.full((len(rows),), rows.shape[1]), rows.shape[1], "encode")

    def step(self) -> StepInput:
        """Sequences and both views as the rows of one batch; only the sequences have targets."""
        rows = torch.cat([self.tensor(name) for name in ("input_ids", "view_1", "view_2")])
        tokens = lay_out(rows, torch.full((len(rows),), rows.shape[1]), rows.shape[1], "encode")
        target, negative = (
            torch.cat([self.tensor(name).flatten(), torch.zeros(2 * self.tensor(name).numel(), dtype=torch.int64)])
            for name in ("target_positive", "target_negative")
        )
        return StepInput(
            tokens,
            len(self.tensor("users")),
            Targets(target[:, None], torch.zeros_like(target[:, None])),
            negative[:, None],
        )

    def unit_centers(self) -> None:
        self.network.centers.normalise()

    def raw_centers(self) -> None:
        with torch.no_grad():
            self.network.centers.weight.copy_(self.tensor("centers_raw"))


@pytest.fixture(params=WITH_WEIGHTS, ids=lambda path: path.name.removesuffix("_batch.npz"), scope="module")
def released(request: pytest.FixtureRequest) -> Released:
    return Released(request.param)


def close(actual: torch.Tensor, expected: np.ndarray | torch.Tensor, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    torch.testing.assert_close(actual.detach(), torch.as_tensor(expected), rtol=rtol, atol=atol)


def test_layout_is_the_batch(released: Released) -> None:
    for batch, name in zip((released.sequence, *released.views), ("input_ids", "view_1", "view_2"), strict=True):
        assert torch.equal(batch.item_T, released.tensor(name).flatten())


def test_hidden(released: Released) -> None:
    close(
        released.network.encoder(released.sequence).view(released.fields["hidden"].shape),
        released.fields["hidden"],
        atol=2e-5,
    )


def test_next_item(released: Released) -> None:
    hidden = released.network.encoder(released.sequence)
    table = released.network.encoder.item_embedding
    positive, negative = (released.tensor(name).flatten() for name in ("target_positive", "target_negative"))
    at = positive > 0
    close(bce(hidden[at], table(positive[at]), table(negative[at])), released.fields["next_item_loss"])


@pytest.mark.parametrize("fusion", ["shift", "concat"])
def test_instance(released: Released, fusion: str) -> None:
    released.raw_centers()
    rows = len(released.fields["users"])
    sides = [
        released.network.centers.fuse(released.network.encoder(view), fusion).view(rows, -1) for view in released.views
    ]
    close(nt_xent(*sides), released.fields[f"instance_loss_{fusion}"])


def test_centers_behaviour_and_intent(released: Released) -> None:
    released.raw_centers()
    close(released.network.centers.weight, released.fields["centers_raw"])
    released.unit_centers()
    close(released.network.centers.weight, released.fields["centers_unit"])
    behaviour = F.normalize(pool(released.network.encoder(released.sequence), released.sequence), dim=-1)
    close(behaviour, released.fields["behaviour"], atol=1e-5)
    assert torch.equal(released.network.centers.assign(behaviour), released.tensor("intent"))
    assert torch.equal(released.network.centers.nearest(behaviour), released.tensor("intent"))


def test_cluster(released: Released) -> None:
    behaviour, centers = released.tensor("behaviour"), released.tensor("centers_unit")
    close(alignment(behaviour, centers), released.fields["alignment_loss"])
    close(separation(centers), released.fields["separation_loss"])
    close(printed_cluster_loss(behaviour, centers), released.fields["cluster_loss"])


def test_joint_and_gradients(released: Released) -> None:
    released.unit_centers()
    released.network.zero_grad()
    users = torch.zeros(released.resolved.n_intents)
    terms, assigned = Objective(released.resolved)(released.network, released.step(), users)
    assert torch.equal(assigned.intent_B, released.tensor("intent"))
    close(terms.next_item, released.fields["next_item_loss"])
    close(terms.instance, released.fields["instance_loss_unit_centers"])
    close(terms.intent, released.fields["intent_loss"])
    close(terms.cluster, released.fields["cluster_loss"])
    close(terms.total, released.fields["joint_loss_unit_centers"])

    terms.total.backward()
    ours = {name: parameter.grad for name, parameter in released.network.named_parameters()}
    gradients = published.published_names(ours)
    for name, norm in json.loads(str(released.fields["grad_norms"])).items():
        assert gradients[name].norm().item() == pytest.approx(norm, rel=1e-4, abs=1e-6), name
    close(gradients["cluster_centers"], released.fields["grad_centers"], rtol=1e-4)
    close(gradients["position_embeddings.weight"], released.fields["grad_position_embeddings"], rtol=1e-4)
