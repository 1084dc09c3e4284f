"""Training and scoring shared among the workers of a Ray cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from elcrec.errors import ElcrecError, RunError, SettingsError
from elcrec.wording import argument

ROWS_A_BATCH = 2048


@contextlib.contextmanager
def _cluster(workers: int) -> Iterator[Any]:
    """The cluster of ``$RAY_ADDRESS``, one that runs on this machine, or one started for as long as it is needed.

    Raises:
        SettingsError: Ray is not installed, or ``workers`` is below 1.
    """
    if workers < 1:
        raise SettingsError(f"ray={workers}: use at least one worker")
    try:
        import ray
    except ImportError as error:
        raise SettingsError("Ray is not installed: pip install 'elcrec[ray]'") from error
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    started = not ray.is_initialized()
    if started and "RAY_ADDRESS" in os.environ:
        ray.init(logging_level=logging.WARNING)
    elif started:  # as many places as workers, on however few cores
        ray.init(num_cpus=workers + 1, include_dashboard=False, logging_level=logging.WARNING)
    try:
        yield ray
    finally:
        if started:
            ray.shutdown()


def train_on_ray(workers: int, out: str | Path, model: dict[str, Any], fit: dict[str, Any], gpu: bool = False) -> None:
    """Train on several workers, with the batches and losses of one process; see docs/distributed.md.

    Args:
        workers: How many.
        out: Run folder, on a disk that all workers see.
        model: What :class:`elcrec.ELCRec` is made with: ``recipe``, ``seed``, settings.
        fit: Other arguments of :meth:`elcrec.ELCRec.fit` than ``out``: ``data`` (a path all workers see), ...
        gpu: A GPU for each worker.

    Raises:
        ElcrecError: As ``fit`` raises it.
        RunError: A worker died; ``resume`` continues after the last finished epoch.
    """
    out = Path(out).resolve()
    with _cluster(workers):
        from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
        from ray.train.torch import TorchTrainer

        # Ray wants a folder of its own that all see, even for a training that keeps its state itself.
        beside = out.with_name(f".{out.name}.ray")
        trainer = TorchTrainer(
            _train,
            train_loop_config={"out": str(out), "model": model, "fit": fit},
            scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu),
            run_config=RunConfig(
                name="training", storage_path=str(beside), failure_config=FailureConfig(max_failures=0)
            ),
        )
        try:
            trainer.fit()
        except TrainingFailedError as error:
            raise _error_of_worker(error) from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _train(config: dict[str, Any]) -> None:
    """One worker's training; Ray has joined the processes."""
    from elcrec.recommender import ELCRec

    ELCRec(**config["model"]).fit(out=config["out"], **config["fit"])


def _error_of_worker(error: Exception) -> ElcrecError:
    """The error that a worker raised, where the caller can correct it."""
    for failure in getattr(error, "worker_failures", {}).values():
        cause: BaseException | None = failure
        while cause is not None:
            if isinstance(cause, ElcrecError) and "another process" not in str(cause):
                return cause
            cause = getattr(cause, "cause", None) or cause.__cause__
    return RunError(f"a worker has stopped: see its messages above, then go on with {argument('resume', True)}")


class _Scorer:
    """Makes recommendations for batches of users; loads the run once."""

    def __init__(self, run: str, policy: Any) -> None:
        from elcrec.recommender import ELCRec

        self.model, self.policy = ELCRec.load(run, "auto"), policy

    def __call__(self, batch: Any) -> Any:
        import polars as pl

        users = pl.Series(pl.from_arrow(batch.column("user_id")))
        histories = self.model.fitted.dataset.of_users(users)
        return self.model.topn.recommend(histories, self.policy).to_arrow()


def recommend_on_ray(workers: int, run: str | Path, out: str | Path, **policy: Any) -> int:
    """Recommendations for all users of a run, as Parquet files in a folder.

    Args:
        workers: How many score side by side; each loads the run.
        run: Run folder, on a disk that all workers see.
        out: A new folder, on such a disk; it appears when all is done.
        policy: The fields of :class:`elcrec.inference.policy.RankingPolicy`: ``k``, ``explain``, ...

    Returns:
        Rows written: the columns of :meth:`elcrec.ELCRec.recommend`.

    Raises:
        RunError: No run, or ``out`` is there already.
    """
    from elcrec.inference.policy import RankingPolicy
    from elcrec.runs.run_folder import RunFolder
    from elcrec.storage import publish_folder

    run, out = Path(run).resolve(), Path(out).resolve()
    if out.exists():
        raise RunError(f"{out} is there already: choose a new folder for the recommendations")
    folder = RunFolder(run)
    users = folder.learnt_from(folder.interactions()).frame.select("user_id").unique(maintain_order=True)
    with _cluster(workers) as ray:
        beside = out.with_name(f".{out.name}.tmp")
        shutil.rmtree(beside, ignore_errors=True)
        batches = -(-len(users) // ROWS_A_BATCH)
        recommendations = (
            ray.data.from_arrow(users.to_arrow())
            .repartition(max(workers, min(batches, 8 * workers)))
            .map_batches(
                _Scorer,
                fn_constructor_args=(str(run), RankingPolicy(**policy)),
                batch_format="pyarrow",
                batch_size=ROWS_A_BATCH,
                concurrency=workers,
            )
        )
        try:
            recommendations.write_parquet(str(beside))
            rows = int(ray.data.read_parquet(str(beside)).count())
            publish_folder(beside, out)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return rows
