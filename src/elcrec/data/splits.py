"""Splits: the training part of each history, and its validation and test items."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import polars as pl
import torch
from torch import Tensor

from elcrec.data.histories import HistoryBatch
from elcrec.data.interactions import Interactions
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, SettingsError


@dataclass(frozen=True)
class Split:
    """All histories as one tensor of item indices, and three cuts in each.

    Positions are absolute in ``item_N``. A user without a validation or test item has -1 there.

    Attributes:
        item_N: int64 [N], item indices (>= 1), user by user, in order of time.
        start_U: int64 [U], first position of the user.
        end_U: int64 [U], position after the user's last.
        train_end_U: int64 [U], position after the last training item.
        valid_U: int64 [U], position of the validation item; its history is all before it.
        test_U: int64 [U], position of the test item; its history is all before it.
    """

    item_N: Tensor
    start_U: Tensor
    end_U: Tensor
    train_end_U: Tensor
    valid_U: Tensor
    test_U: Tensor

    @property
    def n_users(self) -> int:
        """Number of users."""
        return self.start_U.numel()

    @property
    def user_N(self) -> Tensor:
        """Whose each event is: int64 [N], 0 .. n_users - 1."""
        users = torch.arange(self.n_users, device=self.start_U.device)
        return torch.repeat_interleave(users, self.end_U - self.start_U)

    def before(self, end_U: Tensor) -> Tensor:
        """Which events lie before a position of their user: bool [N]."""
        lies_U2 = torch.stack([torch.ones_like(end_U, dtype=torch.bool), torch.zeros_like(end_U, dtype=torch.bool)], 1)
        length_U2 = torch.stack([end_U - self.start_U, self.end_U - end_U], 1)
        return torch.repeat_interleave(lies_U2.flatten(), length_U2.flatten())

    def to(self, device: torch.device) -> Split:
        """The same on a device."""
        return Split(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    def targets(self, part: str, most: int | None = None, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Users who have an item to predict, and its positions: int64 [Q], int64 [Q].

        Args:
            part: ``valid`` or ``test``.
            most: Of more users, so many drawn by the seed.
            seed: Of the draw.

        Raises:
            DataError: No user has one.
            SettingsError: Another part.
        """
        if part not in ("valid", "test"):
            raise SettingsError(f"split={part!r}: use valid or test")
        at_U = self.valid_U if part == "valid" else self.test_U
        user_Q = torch.nonzero(at_U >= 0).flatten()
        if user_Q.numel() == 0:
            raise DataError(
                f"no user has an item for {part}: split=leave_one_out needs histories of three or more, "
                "split=global_time users with events before and after each of its two moments"
            )
        if most is not None and most < user_Q.numel():
            drawn = torch.randperm(user_Q.numel(), generator=torch.Generator().manual_seed(seed))[:most]
            user_Q = user_Q[drawn.sort().values.to(user_Q.device)]
        return user_Q, at_U[user_Q]

    def histories(self, user_Q: Tensor, end_Q: Tensor) -> HistoryBatch:
        """Histories of users, int64 [Q], up to positions in the log, int64 [Q], where the item that follows stands."""
        return HistoryBatch(self.item_N, self.start_U[user_Q], end_Q)

    def learning_from(self, share: float, seed: int) -> Split:
        """The same with the training part of only a share of the users, drawn by the seed; all keep their targets."""
        if share == 1:
            return self
        left_out_U = torch.rand(self.n_users, generator=torch.Generator().manual_seed(seed)) >= share
        return replace(self, train_end_U=self.train_end_U.where(~left_out_U.to(self.start_U.device), self.start_U))

    def learners(self) -> Tensor:
        """Users with at least one pair of consecutive training items: int64 [M].

        Raises:
            DataError: No user has one.
        """
        user_M = torch.nonzero(self.train_end_U - self.start_U >= 2).flatten()
        if user_M.numel() == 0:
            raise DataError("no history has two training items: a next-item model needs sequences")
        return user_M


def make_split(log: Interactions, items: Vocabulary, method: str, holdout_share: float) -> Split:
    """Split a log.

    Args:
        log: The log; its rows are grouped by user and ordered in time.
        items: Vocabulary that numbers the items.
        method: ``leave_one_out`` (last item test, last but one validation, for histories of three or more)
            or ``global_time`` (the first item after each of two moments that leave the last and last but
            one ``holdout_share`` of all events behind them).
        holdout_share: Share of events, 0 to .5.

    Raises:
        DataError: ``global_time`` without times.
        UnknownIdError: An item is not in the vocabulary.
    """
    frame = log.frame
    item_N = torch.from_numpy(items.indices(frame["item_id"]))
    length_U = log.lengths().to_numpy()
    end = np.cumsum(length_U)
    start = end - length_U
    if method == "global_time":
        train_end, valid, test = _global_time(frame, start, end, holdout_share)
    else:
        train_end, valid, test = _leave_one_out(start, end)
    return Split(item_N, *(torch.from_numpy(array) for array in (start, end, train_end, valid, test)))


_Cuts = tuple[np.ndarray, np.ndarray, np.ndarray]


def _leave_one_out(start: np.ndarray, end: np.ndarray) -> _Cuts:
    enough = end - start >= 3
    return np.where(enough, end - 2, end), np.where(enough, end - 2, -1), np.where(enough, end - 1, -1)


def _global_time(frame: pl.DataFrame, start: np.ndarray, end: np.ndarray, share: float) -> _Cuts:
    if "timestamp" not in frame.columns:
        raise DataError("split=global_time needs a timestamp column: the data has none")
    times = frame["timestamp"].to_physical()
    ordered = times.sort()
    # Rounded first: 90 * (1 - .3) is 62.99... in floating point.
    kept = [int(round(len(ordered) * (1 - back * share), 6)) for back in (2, 1)]
    cuts = [ordered[min(count, len(ordered) - 1)] for count in kept]
    # Rows are in order of time within a user, so counting the earlier rows finds each user's cut.
    before = [np.concatenate([[0], np.cumsum((times < cut).to_numpy())]) for cut in cuts]
    valid_from, test_from = (start + count[end] - count[start] for count in before)
    has_valid = (valid_from < test_from) & (valid_from > start)
    has_test = (test_from < end) & (test_from > start)
    return valid_from, np.where(has_valid, valid_from, -1), np.where(has_test, test_from, -1)
