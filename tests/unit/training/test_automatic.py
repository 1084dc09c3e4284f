"""Settings that are left to training."""

import polars as pl
import pytest

from elcrec.config import AUTOMATIC, Settings, resolve
from elcrec.data.interactions import Interactions
from elcrec.errors import SettingsError
from elcrec.training.automatic import choose, epochs_with_features


def log(n_users: int, baskets: list[list[int]]) -> Interactions:
    """Every user with the same baskets."""
    rows = [(user, item, time) for user in range(n_users) for time, items in enumerate(baskets) for item in items]
    return Interactions.read(pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row"))


SINGLE = [[1], [2], [3]]


def test_a_log_without_ties_and_repeats_keeps_every_default() -> None:
    settings, choices = choose(resolve("default", {"n_intents": 256}), log(5, SINGLE))
    defaults = Settings()
    assert {name: getattr(settings, name) for name in AUTOMATIC} == {
        name: getattr(defaults, name) for name in AUTOMATIC
    }
    assert all(choice["value"] == getattr(defaults, name) for name, choice in choices.items())


@pytest.mark.parametrize(
    ("baskets", "expected"),
    [
        ([[1, 2], [3, 4], [5, 6], [7, 8]], {"ties": "shuffle", "split": "leave_one_basket_out", "repeats": "none"}),
        ([[1, 2], [3, 4], [5, 6]], {"ties": "shuffle", "split": "leave_one_out", "repeats": "none"}),
        ([[1, 2, 3], [4, 5, 6]], {"ties": "file", "split": "leave_one_out", "repeats": "none"}),
        ([[1, 2], [3], [4], [5], [6]], {"ties": "shuffle", "split": "leave_one_out", "repeats": "none"}),
        ([[1], [2], [1], [3]], {"ties": "file", "split": "leave_one_out", "repeats": "learned"}),
        ([[item] for item in [*range(40), 1]], {"ties": "file", "split": "leave_one_out", "repeats": "fitted"}),
    ],
)
def test_ties_and_repeats_decide(baskets: list[list[int]], expected: dict[str, str]) -> None:
    settings, _ = choose(resolve("default"), log(3, baskets))
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("n_users", "changed", "expected"),
    [
        (300, {}, None),
        (22_363, {}, None),
        (30_431, {}, 8),
        (10**9, {}, 8),
        (30_431, {"batch_size": 512}, None),
        (30_431, {"epochs": 20}, None),
        (30_431, {"windows": 5}, None),
        (25_000, {}, 10),
    ],
)
def test_item_features_leave_larger_logs_fewer_epochs(
    n_users: int, changed: dict[str, int], expected: int | None
) -> None:
    choice = epochs_with_features(resolve("default", changed), n_users)
    assert (choice and choice["value"]) == expected


def test_what_was_chosen_before_is_not_the_default() -> None:
    again = resolve("default").model_copy(update={"epochs": 8, "embedding_dim": 64})
    settings, choices = choose(again, log(5, SINGLE))
    assert (settings.epochs, settings.embedding_dim) == (Settings().epochs, Settings().embedding_dim)
    assert choices["epochs"]["reason"] == "the default, which suits short histories"


def test_a_loss_without_extra_scores_fits_them_afterwards() -> None:
    settings, _ = choose(resolve("default", {"next_item_loss": "gbce", "horizon": 1}), log(3, [[1], [2], [1]]))
    assert settings.repeats == "fitted"
    with pytest.raises(SettingsError, match="repeats=fitted"):
        resolve("default", {"next_item_loss": "gbce", "horizon": 1, "repeats": "learned"})


@pytest.mark.parametrize(
    ("n_users", "expected"), [(30, 8), (671, 8), (1090, 16), (2372, 32), (22_363, 256), (10**6, 256)]
)
def test_intents_follow_the_number_of_users(n_users: int, expected: int) -> None:
    rows = pl.DataFrame({"user_id": range(n_users), "item_id": [1] * n_users, "timestamp": range(n_users)})
    assert choose(resolve("default"), Interactions.read(rows))[0].n_intents == expected


def test_several_encoders_get_fewer_epochs_and_the_reason_says_so() -> None:
    settings, choices = choose(resolve("ensemble"), log(5, SINGLE))
    assert (settings.epochs, Settings().epochs) == (10, 12)
    assert choices["epochs"]["reason"] == "the default of 2 encoders, which suits short histories"
    assert choices["batch_size"]["reason"] == "the default, which suits short histories"


def test_long_baskets_get_other_sizes() -> None:
    weeks = [[3 * week, 3 * week + 1, 3 * week + 2] for week in range(20)]
    settings, choices = choose(resolve("default"), log(3, weeks))
    assert (settings.windows, settings.epochs, settings.embedding_dim) == (5, 4, 64)
    assert "median history of 60 events" in choices["epochs"]["reason"]


def test_few_long_histories_get_fewer_passes_and_short_or_plain_ones_do_not() -> None:
    tied = [[0, 1], *([item] for item in range(2, 62))]
    settings, choices = choose(resolve("default"), log(3, tied))
    assert (settings.windows, settings.batch_size, settings.epochs) == (5, 64, 5)
    assert "3 users" in choices["epochs"]["reason"]
    assert settings.embedding_dim == Settings().embedding_dim
    for other in (tied[:20], [[item] for item in range(60)]):
        settings, _ = choose(resolve("default"), log(3, other))
        assert (settings.windows, settings.batch_size, settings.epochs) == (1, 256, 12)


def test_what_is_given_stays_and_paper_chooses_nothing() -> None:
    baskets = log(3, [[1, 2], [3, 4], [1, 6]])
    given = {"ties": "file", "repeats": "none", "exclude_seen": False}
    settings, choices = choose(resolve("default", given), baskets)
    assert {name: getattr(settings, name) for name in given} == given
    assert not set(given) & set(choices)
    assert choose(resolve("paper"), baskets) == (resolve("paper"), {})


def test_auto_is_written_as_a_value_and_survives_a_round_trip() -> None:
    settings = resolve("paper", {"n_intents": "auto"})
    assert settings.auto == ("n_intents",)
    assert Settings.model_validate(settings.model_dump(mode="json")) == settings
    with pytest.raises(SettingsError, match="seed"):
        resolve("paper", {"seed": "auto"})
