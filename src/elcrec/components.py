"""The components that :class:`elcrec.ELCRec` ties together. They need PyTorch, which takes seconds to import.

The facade takes them from this one module, which is loaded when the first model is made.
"""

from __future__ import annotations

from dataclasses import dataclass

from elcrec.evaluation.evaluator import Evaluator
from elcrec.evaluation.metrics import measured_parts
from elcrec.inference.lookup import Lookup
from elcrec.inference.topn import TopN
from elcrec.intents import diagnostics
from elcrec.intents.assignment import IntentAssigner
from elcrec.intents.intents import Intents
from elcrec.runs.published import read_published
from elcrec.runs.run import Run, read_run, results_of
from elcrec.runs.run_folder import RunFolder
from elcrec.training.add_items import add_items
from elcrec.training.distributed import own_device
from elcrec.training.fit import Start, fit
from elcrec.training.partial_fit import partial_fit

__all__ = [
    "Components",
    "IntentAssigner",
    "Intents",
    "Run",
    "RunFolder",
    "Start",
    "add_items",
    "diagnostics",
    "fit",
    "measured_parts",
    "own_device",
    "partial_fit",
    "read_published",
    "read_run",
    "results_of",
]


@dataclass(frozen=True)
class Components:
    """A run and the components that work on it; replaced together."""

    run: Run
    topn: TopN
    lookup: Lookup
    evaluator: Evaluator

    @classmethod
    def of(cls, run: Run) -> Components:
        """Those of a run."""
        topn = TopN(run.intents.assigner, run.index_path)
        return cls(run, topn, Lookup(topn), Evaluator(run.fitted))
