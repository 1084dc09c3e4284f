"""Splits: the training part of each history, and its validation and test items."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.data.event_codes import gaps_in, kinds_in, packed
from elcrec.data.features import Features
from elcrec.data.histories import HistoryBatch
from elcrec.data.interactions import Interactions
from elcrec.data.kinds import Worth
from elcrec.data.vocabulary import Vocabulary
from elcrec.errors import DataError, SettingsError
from elcrec.process.wording import setting

Moments = tuple[float, float]
"""Where validation and test begin, with ``global_time``."""


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
        newest_N: int64 [N], position of the last event of each event's basket, the events of one user at one time;
            None where each event is a basket of its own.
        baskets: Whether whole baskets are held out: validation goes from ``valid_U`` to ``test_U``, the test from there
            to ``end_U``.
        weight_N: float32 [N], weight of each event as a target of training; 0: input only. None where all are alike.
        judged_N: bool [N], the events that are held out, of those in the ranges that ``baskets`` names; None: all.
        event_N: int64 [N], codes of the events (:mod:`elcrec.data.event_codes`); None where the model reads none.
        features: Features of the items, rows 0 .. V; None where training reads none.
        user_features: Features of the users, U rows; None where the model reads none.
    """

    item_N: Tensor
    start_U: Tensor
    end_U: Tensor
    train_end_U: Tensor
    valid_U: Tensor
    test_U: Tensor
    newest_N: Tensor | None = None
    baskets: bool = False
    weight_N: Tensor | None = None
    judged_N: Tensor | None = None
    event_N: Tensor | None = None
    features: Features | None = None
    user_features: Features | None = None

    @property
    def target_end_U(self) -> Tensor:
        """Position after the last target of training of each user, int64 [U]: ``train_end_U`` where all are alike."""
        if self.weight_N is None:
            return self.train_end_U
        target_X = torch.nonzero(self.weight_N).flatten()
        n_before_U = torch.searchsorted(target_X, self.train_end_U)
        end_U = torch.cat([target_X.new_zeros(1), target_X + 1])[n_before_U]
        return end_U.maximum(self.start_U)

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
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        features, of_users = (None if one is None else one.to(device) for one in (self.features, self.user_features))
        moved = {name: tensor.to(device) for name, tensor in tensors.items()}
        return replace(self, **moved, features=features, user_features=of_users)  # type: ignore[arg-type]

    def shuffled_in_baskets(
        self, generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None, tuple[Tensor, Tensor] | None]:
        """``item_N`` and ``event_N`` with the training events of each basket in random order, and that order.

        The order are places of events in baskets of several, int64 [X], ascending, and the places that they are taken
        from, [X]; None without baskets.
        What is held out stays where it is, of a basket that begins in the training part, too. The time before an event
        belongs to its place: the first of a basket has the time since the basket before. Nothing is drawn without
        baskets.
        """
        if self.newest_N is None:
            return self.item_N, self.event_N, None
        tied_N = self.newest_N != torch.arange(len(self.newest_N), device=self.newest_N.device)
        tied_N[self.newest_N[tied_N]] = True
        at_X = torch.nonzero(tied_N).flatten()
        noise_X = torch.rand(len(at_X), generator=generator, device=at_X.device, dtype=torch.float64)
        noise_X[~self.before(self.train_end_U)[at_X]] = 1
        from_X = at_X[(self.newest_N[at_X] + noise_X).argsort(stable=True)]
        event_N = self.event_N
        if event_N is not None:
            event_N = event_N.index_copy(0, at_X, packed(kinds_in(event_N[from_X]), gaps_in(event_N[at_X])))
        return self.item_N.index_copy(0, at_X, self.item_N[from_X]), event_N, (at_X, from_X)

    def without(self, left_out_N: Tensor) -> Split:
        """The same without some events, bool [N], and users who have no other.

        A user whose held-out item is one of them, whose held-out basket has no other, or who has no other before it, is
        not evaluated. With baskets, validation needs a test basket, too.
        """
        if not left_out_N.any():
            return self
        kept_N = ~left_out_N
        n_before = F.pad(kept_N.long().cumsum(0), (1, 0))
        judged_N = kept_N if self.judged_N is None else kept_N & self.judged_N
        n_judged_before = F.pad(judged_N.long().cumsum(0), (1, 0))
        start_U = n_before[self.start_U]
        untils = (self.test_U, self.end_U) if self.baskets else (self.valid_U + 1, self.test_U + 1)
        has_valid_U, has_test_U = (
            (at_U >= 0) & (n_judged_before[until_U] > n_judged_before[at_U]) & (n_before[at_U] > start_U)
            for at_U, until_U in zip((self.valid_U, self.test_U), untils, strict=True)
        )
        if self.baskets:  # validation ends where the test begins
            has_valid_U = has_valid_U & has_test_U
        some_U = n_before[self.end_U] > start_U
        known = self.user_features
        return replace(
            self,
            item_N=self.item_N[kept_N],
            start_U=start_U[some_U],
            end_U=n_before[self.end_U][some_U],
            train_end_U=n_before[self.train_end_U][some_U],
            valid_U=n_before[self.valid_U].where(has_valid_U, -1)[some_U],
            test_U=n_before[self.test_U].where(has_test_U, -1)[some_U],
            newest_N=None if self.newest_N is None else n_before[self.newest_N[kept_N] + 1] - 1,
            weight_N=_at(self.weight_N, kept_N),
            judged_N=_at(self.judged_N, kept_N),
            event_N=_at(self.event_N, kept_N),
            user_features=None if known is None else known.at(torch.nonzero(some_U).flatten()),
        )

    def n_evaluated(self, part: str) -> int:
        """Number of users who have an item to predict in ``valid`` or ``test``."""
        return int(((self.valid_U if part == "valid" else self.test_U) >= 0).sum())

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
            raise self._nothing_to_predict(part)
        if most is not None and most < user_Q.numel():
            drawn = torch.randperm(user_Q.numel(), generator=torch.Generator().manual_seed(seed))[:most]
            user_Q = user_Q[drawn.sort().values.to(user_Q.device)]
        return user_Q, at_U[user_Q]

    def _nothing_to_predict(self, part: str) -> DataError:
        """The error where no user has an item to predict."""
        moments = "split=global_time users with events before and after each of its two moments"
        if self.judged_N is None:
            return DataError(
                f"no user has an item for {part}: split=leave_one_out needs histories of three or more items, "
                f"leave_one_basket_out of three or more baskets, {moments}"
            )
        count = int(self.judged_N.sum())
        return DataError(
            f"no user has an item for {part} of those that are predicted (target_event, event_weights, min_weight): "
            f"{count:,} of the {len(self.judged_N):,} events are such; users need two of them, or two baskets with "
            f"some, after an event of any kind, {moments}: predict a kind that comes more often"
        )

    def histories(self, user_Q: Tensor, end_Q: Tensor) -> HistoryBatch:
        """Histories of users, int64 [Q], up to positions in the log, int64 [Q], where the item that follows stands."""
        batch = HistoryBatch(self.item_N, self.start_U[user_Q], end_Q, newest_N=self.newest_N, event_N=self.event_N)
        return batch if self.user_features is None else replace(batch, user_features=self.user_features.at(user_Q))

    def held_out(self, part: str, most: int | None = None, seed: int = 0) -> tuple[Tensor, HistoryBatch]:
        """Users who have something to predict, int64 [Q], and their histories before it; see :meth:`targets`."""
        user_Q, at_Q = self.targets(part, most, seed)
        histories = self.histories(user_Q, at_Q)
        if not self.baskets:
            return user_Q, histories
        until_U = self.test_U if part == "valid" else self.end_U
        return user_Q, replace(histories, until_Q=until_U[user_Q], judged_N=self.judged_N)

    def learning_from(self, share: float, seed: int) -> Split:
        """The same with the training part of only a share of the users, drawn by the seed; all keep their targets."""
        if share == 1:
            return self
        left_out_U = torch.rand(self.n_users, generator=torch.Generator().manual_seed(seed)) >= share
        return replace(self, train_end_U=self.train_end_U.where(~left_out_U.to(self.start_U.device), self.start_U))

    def learners(self) -> Tensor:
        """Users with at least one target to learn from and, in an earlier basket, an item before it: int64 [M].

        Raises:
            DataError: No user has one.
        """
        user_M = torch.nonzero(self.last_target_U > self.start_U).flatten()
        if user_M.numel() == 0:
            raise DataError(self._nothing_to_learn())
        return user_M

    def _nothing_to_learn(self) -> str:
        unweighed = replace(self, weight_N=None)
        if self.weight_N is not None and bool((unweighed.last_target_U > self.start_U).any()):
            return (
                "no history has two training items of which the second weighs more than 0 "
                f"({int((self.weight_N > 0).sum()):,} of the {len(self.weight_N):,} events do): "
                "raise event_weights or lower min_weight"
            )
        if self.newest_N is not None:
            return (
                "no history has two training baskets, events of different times: set ties=file to learn the order of "
                "the events within them"
            )
        none = "no history has two training items"
        longest = int((self.end_U - self.start_U).max()) if self.n_users else 0
        if longest < 2:
            return (
                f"{none}: each user has a single event, and a next-item model learns from sequences; if users are in "
                f"another column, name it ({setting('user_column', 'NAME')})"
            )
        return (
            f"{none}: the longest history has {longest:,} items, and those that are held out are not learned from "
            f"(split=leave_one_out: the last two of each user, who needs four or more; leave_one_basket_out: the last "
            f"two baskets): give longer histories, or hold out by time, with {setting('split', 'global_time')} and a "
            f"small holdout_share"
        )

    @property
    def last_target_U(self) -> Tensor:
        """Where the last item, or basket, to learn from begins: int64 [U], before ``start_U`` for users without."""
        last_U = self.target_end_U - 1
        if self.newest_N is None:
            return last_U
        return torch.searchsorted(self.newest_N, self.newest_N[last_U.clamp(min=0)]).minimum(last_U)


def _at(values_N: Tensor | None, kept_N: Tensor) -> Tensor | None:
    return None if values_N is None else values_N[kept_N]


# reason: the settings of a split, each of which tests give alone
def make_split(
    log: Interactions,
    items: Vocabulary,
    method: str,
    holdout_share: float,
    ties: str = "file",
    worth: Worth = Worth(),  # noqa: B008
    moments: Moments | None = None,
    unknown: str = "raise",
) -> Split:
    """Split a log.

    Args:
        log: The log; its rows are grouped by user and ordered in time.
        items: Vocabulary that numbers the items.
        method: ``leave_one_out`` (last item test, last but one validation, for histories of three or more)
            or ``leave_one_basket_out`` (the last basket and the last but one, for histories of three or more)
            or ``global_time`` (the first item after each of two moments that leave the last and last but
            one ``holdout_share`` of all events behind them).
        holdout_share: Share of events, 0 to .5.
        ties: ``shuffle``: events of one user at one time are a basket; ``file``: they have the order of the log.
        worth: What events are worth: only those that may be held out count as items and baskets of a split; histories
            hold all events before.
        moments: Of ``global_time``; default: those of this log (:func:`moments_of`).
        unknown: ``raise``, or ``skip``: events of unknown items have index -1, and can be left out
            (:meth:`Split.without`).

    Raises:
        DataError: ``global_time`` without times.
        UnknownIdError: An item is not in the vocabulary.
    """
    frame = log.frame
    item_N = torch.from_numpy(items.indices(frame["item_id"], unknown))
    length_U = log.lengths().to_numpy()
    end = np.cumsum(length_U)
    start = end - length_U
    first_B = np.flatnonzero(log.begins_basket().to_numpy())
    if method == "global_time":
        times, moments = _times_of(log), moments or moments_of(log, holdout_share)
        train_end, valid, test = _global_time(times, moments, start, end, worth.judged_N)
    elif worth.judged_N is not None:
        place_N = np.arange(len(log))
        first_N = first_B[first_B.searchsorted(place_N, "right") - 1] if method == "leave_one_basket_out" else place_N
        train_end, valid, test = _leave_judged_out(first_N, worth.judged_N, start, end)
    elif method == "leave_one_basket_out":
        train_end, valid, test = _leave_one_basket_out(first_B, start, end)
    else:
        train_end, valid, test = _leave_one_out(start, end)
    start_U, end_U, train_end_U, valid_U, test_U = map(torch.from_numpy, (start, end, train_end, valid, test))
    newest_N = None if ties == "file" else torch.from_numpy(newest_of_basket(first_B, len(log)))
    weight_N, judged_N = (None if one is None else torch.from_numpy(one) for one in worth)
    cuts = (train_end_U, valid_U, test_U)
    return Split(item_N, start_U, end_U, *cuts, newest_N, method == "leave_one_basket_out", weight_N, judged_N)


_Cuts = tuple[np.ndarray, np.ndarray, np.ndarray]


def _leave_one_out(start: np.ndarray, end: np.ndarray) -> _Cuts:
    enough = end - start >= 3
    return np.where(enough, end - 2, end), np.where(enough, end - 2, -1), np.where(enough, end - 1, -1)


def _leave_judged_out(first_N: np.ndarray, judged_N: np.ndarray, start: np.ndarray, end: np.ndarray) -> _Cuts:
    """The last two events, or baskets, of those that may be held out.

    Args:
        first_N: int64 [N], where the basket of each event begins; the event itself where each is one of its own.
        judged_N: bool [N], which events may be held out.
        start: int64 [U], first position of each user.
        end: int64 [U], position after the last.
    """
    first_X = np.unique(first_N[judged_N])
    n_before = np.searchsorted(first_X, end)
    n_own = n_before - np.searchsorted(first_X, start)
    padded = np.concatenate([[-1, -1], first_X])
    valid, test = padded[n_before], padded[n_before + 1]
    enough = (n_own >= 2) & (valid > start)
    return np.where(enough, valid, end), np.where(enough, valid, -1), np.where(enough, test, -1)


def newest_of_basket(first_B: np.ndarray, n_events: int) -> np.ndarray:
    """Position of the last event of each event's basket, [N], from where baskets begin, [B]."""
    length_B = np.diff(first_B, append=n_events)
    return np.repeat(first_B + length_B - 1, length_B)


def _leave_one_basket_out(first_B: np.ndarray, start: np.ndarray, end: np.ndarray) -> _Cuts:
    n_before = np.searchsorted(first_B, end)  # baskets up to the end of each user
    enough = n_before - np.searchsorted(first_B, start) >= 3
    test, valid = first_B[n_before - 1], first_B[np.maximum(n_before - 2, 0)]
    return np.where(enough, valid, end), np.where(enough, valid, -1), np.where(enough, test, -1)


def moments_of(log: Interactions, holdout_share: float) -> Moments:
    """The two moments of ``global_time``, as the log's own numbers: validation begins at one, the test at the other."""
    ordered = _times_of(log).sort()
    # Rounded first: 90 * (1 - .3) is 62.99... in floating point.
    valid_from, test_from = (int(round(len(ordered) * (1 - back * holdout_share), 6)) for back in (2, 1))
    return ordered[min(valid_from, len(ordered) - 1)], ordered[min(test_from, len(ordered) - 1)]


def _times_of(log: Interactions) -> pl.Series:
    if "timestamp" not in log.frame.columns:
        raise DataError("split=global_time needs a timestamp column: the data has none")
    return log.frame["timestamp"].to_physical()


def _global_time(
    times: pl.Series, moments: Moments, start: np.ndarray, end: np.ndarray, judged_N: np.ndarray | None
) -> _Cuts:
    # Rows are in order of time within a user, so counting the earlier rows finds each user's cut.
    before = [np.concatenate([[0], np.cumsum((times < cut).to_numpy())]) for cut in moments]
    valid_from, test_from = (start + count[end] - count[start] for count in before)
    valid, test = valid_from, test_from
    if judged_N is not None:  # the first of those that may be held out
        at_X = np.append(np.flatnonzero(judged_N), len(judged_N))
        valid, test = (at_X[np.searchsorted(at_X, cut).clip(max=len(at_X) - 1)] for cut in (valid, test))
    has_valid = (valid < test_from) & (valid > start)
    has_test = (test < end) & (test > start)
    return valid_from, np.where(has_valid, valid, -1), np.where(has_test, test, -1)
