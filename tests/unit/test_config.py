"""Settings: recipes resolve, mistakes are named in one line."""

import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from elcrec.config import Settings, parse_override, read_recipe, recipe_names, resolve, validate
from elcrec.errors import SettingsError

PAPER = {
    "paper-beauty": {"n_intents": 256, "cluster_weight": 10.0, "n_layers": 1, "fusion": "shift"},
    "paper-sports": {"n_intents": 512, "cluster_weight": 1.0, "n_layers": 2, "fusion": "concat"},
    "paper-toys": {"n_intents": 512, "cluster_weight": 1.0, "n_layers": 3, "fusion": "concat"},
    "paper-yelp": {"n_intents": 256, "cluster_weight": 0.1, "n_layers": 2, "fusion": "concat"},
}
RELEASED = {
    "padding": "encode",
    "recency": 1.0,
    "next_item_loss": "bce",
    "horizon": 1,
    "smoothing": 0.0,
    "negatives": "unseen_ever",
    "cluster_loss": "printed",
    "max_seq_len": 50,
    "embedding_dim": 64,
    "n_heads": 2,
    "dropout": 0.5,
    "instance_weight": 0.1,
    "intent_weight": 0.1,
    "temperature": 1.0,
    "crop_keep": 0.2,
    "mask_share": 0.7,
    "reorder_share": 0.2,
    "learning_rate": 1e-3,
    "batch_size": 256,
    "epochs": 300,
    "patience": 40,
    "schedule": "constant",
    "epoch_steps": 1,
    "exclude_seen": True,
}
BASELINES = ("cl4srec", "iclrec", "iclrec-sports", "iclrec-toys", "iclrec-yelp", "sasrec", "sasrec-bce")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def mistake(recipe: str | Path = "default", **overrides: Any) -> str:
    """The message of the error that these settings raise."""
    with pytest.raises(SettingsError) as caught:
        resolve(recipe, overrides)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


# Recipes


def test_the_shipped_recipes_are_these() -> None:
    assert recipe_names() == sorted(["default", "ensemble", "large", "paper", *PAPER, *BASELINES])


@pytest.mark.parametrize("recipe", ["default", "ensemble", "large", "paper", *PAPER, *BASELINES])
def test_every_shipped_recipe_resolves(recipe: str) -> None:
    settings = resolve(recipe)
    for name, value in read_recipe(recipe).items():
        assert name in settings.auto if value == "auto" else getattr(settings, name) == value


@pytest.mark.parametrize("recipe", PAPER)
def test_paper_recipes_have_the_published_values(recipe: str) -> None:
    values = resolve(recipe).model_dump()
    expected = RELEASED | PAPER[recipe]
    assert {name: values[name] for name in expected} == expected


def test_paper_is_beauty() -> None:
    assert resolve("paper") == resolve("paper-beauty")


def test_default_is_ours() -> None:
    settings = resolve("default")
    assert (settings.padding, settings.next_item_loss, settings.cluster_loss, settings.negatives) == (
        "skip",
        "softmax",
        "nearest",
        "unseen_in_training",
    )


def test_a_setting_of_no_recipe_has_its_own_default() -> None:
    assert resolve("default") == Settings.model_validate(read_recipe("default"))
    assert resolve("paper").batch_size == Settings().batch_size


def test_a_file_extends_a_recipe_and_overrides_win(tmp_path: Path) -> None:
    recipe = write(tmp_path / "mine.toml", 'extends = "paper-toys"\nepochs = 7\nn_layers = 1\n')
    settings = resolve(recipe, {"epochs": 9})
    assert (settings.epochs, settings.n_layers, settings.n_intents, settings.padding) == (9, 1, 512, "encode")


def test_files_extend_files(tmp_path: Path) -> None:
    base = write(tmp_path / "base.toml", 'extends = "paper"\nepochs = 7\ndropout = 0.1\n')
    middle = write(tmp_path / "middle.toml", f'extends = "{base}"\nepochs = 8\n')
    top = write(tmp_path / "top.toml", f'extends = "{middle}"\nseed = 4\n')
    settings = resolve(str(top))
    assert (settings.epochs, settings.dropout, settings.seed, settings.fusion) == (8, 0.1, 4, "shift")


def test_a_recipe_that_extends_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "self.toml"
    write(path, f'extends = "{path}"\n')
    assert "extends itself" in mistake(path)


def test_a_circle_of_recipes_is_shown(tmp_path: Path) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    write(one, f'extends = "{other}"\n')
    write(other, f'extends = "{one}"\n')
    assert f"{one} -> {other} -> {one}" in mistake(one)


def test_an_unknown_recipe_names_the_known() -> None:
    message = mistake("papr")
    assert "'papr'" in message
    assert all(name in message for name in recipe_names())


def test_a_recipe_that_extends_an_unknown_one_is_refused(tmp_path: Path) -> None:
    assert "'nothing'" in mistake(write(tmp_path / "mine.toml", 'extends = "nothing"\n'))


def test_a_missing_recipe_file_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "no.toml") in mistake(tmp_path / "no.toml")


@pytest.mark.parametrize("text", ["epochs = ", "epochs 3", "= 3", 'epochs = "3'])
def test_a_recipe_that_is_not_toml_is_named(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "bad.toml", text)
    assert str(path) in mistake(path)
    assert "TOML" in mistake(path)


def test_a_recipe_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(b'fusion = "\xff\xfe"\n')
    assert str(path) in mistake(path)


# Names and values


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("epoch", "epochs"),
        ("n_intent", "n_intents"),
        ("learning-rate", "learning_rate"),
        ("max_len", "max_seq_len"),
        ("cluster_wieght", "cluster_weight"),
    ],
)
def test_a_misspelt_name_is_met_with_the_nearest(typo: str, meant: str) -> None:
    message = mistake(**{typo: 1})
    assert f"'{typo}'" in message
    assert f"did you mean '{meant}'?" in message


def test_a_name_near_no_other_is_met_with_all() -> None:
    message = mistake(zzzzzz=1)
    assert "'zzzzzz'" in message
    assert all(name in message for name in Settings.model_fields)


def test_a_misspelt_name_in_a_recipe_file_is_met_alike(tmp_path: Path) -> None:
    assert "did you mean 'epochs'?" in mistake(write(tmp_path / "mine.toml", "epoch = 3\n"))


def test_a_table_in_a_recipe_file_is_unknown(tmp_path: Path) -> None:
    assert "'model'" in mistake(write(tmp_path / "mine.toml", "[model]\nn_layers = 3\n"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", "many"),
        ("epochs", "1.5"),
        ("epochs", ""),
        ("epochs", None),
        ("epochs", [3]),
        ("learning_rate", "fast"),
        ("exclude_seen", "perhaps"),
        ("padding", "left"),
        ("fusion", 3),
        ("split", "random"),
        ("user_column", 3),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_setting(name: str, value: object) -> None:
    assert mistake(**{name: value}).startswith(f"{name}={value!r}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("dropout", 1),
        ("dropout", -0.1),
        ("n_intents", 1),
        ("n_layers", 0),
        ("temperature", 0),
        ("learning_rate", 0),
        ("learning_rate", "nan"),
        ("cluster_weight", -1),
        ("crop_keep", 0),
        ("crop_keep", 1.1),
        ("mask_share", 1.1),
        ("holdout_share", 0.5),
        ("max_seq_len", 5000),
        ("seed", -1),
        ("seed", 2**31),
        ("batch_size", 0),
        ("patience", 0),
        ("k_core", 0),
    ],
)
def test_a_value_out_of_range_is_named_with_its_setting(name: str, value: object) -> None:
    assert mistake(**{name: value}).startswith(f"{name}={value!r}: ")


@pytest.mark.parametrize("name", ["learning_rate", "weight_decay", "temperature", "cluster_weight"])
def test_an_infinite_value_is_refused(name: str) -> None:
    assert mistake(**{name: "inf"}).startswith(f"{name}='inf': ")


def test_all_mistakes_are_named_at_once() -> None:
    message = mistake(epochs=0, dropout=2, epoch=3)
    assert all(part in message for part in ("epochs=0", "dropout=2", "'epoch'"))


@pytest.mark.parametrize(("heads", "width"), [(3, 64), (4, 6), (128, 64)])
def test_heads_divide_the_width(heads: int, width: int) -> None:
    assert mistake(n_heads=heads, embedding_dim=width) == (f"n_heads={heads} must divide embedding_dim={width}")
    assert resolve("default", {"n_heads": heads, "embedding_dim": 2 * heads}).n_heads == heads


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "15", 15),
        ("learning_rate", "1e-4", 1e-4),
        ("exclude_seen", "false", False),
        ("exclude_seen", "True", True),
        ("fusion", "shift", "shift"),
        ("user_column", "customer", "customer"),
    ],
)
def test_text_from_the_command_line_becomes_a_value(name: str, text: str, value: object) -> None:
    assert getattr(resolve("default", {name: text}), name) == value


def test_settings_do_not_change() -> None:
    settings = resolve()
    with pytest.raises(ValidationError):
        settings.epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize("recipe", ["default", "paper-toys"])
def test_settings_come_back_from_what_is_written_to_disk(recipe: str) -> None:
    settings = resolve(recipe, {"user_column": "who"})
    assert validate(settings.model_dump(mode="json")) == settings


def test_every_setting_says_what_it_is_and_is_read_somewhere() -> None:
    package = resources.files("elcrec")
    assert isinstance(package, Path)
    source = "\n".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py") if path.name != "config.py")
    assert [name for name in Settings.model_fields if not re.search(rf"\.{name}\b", source)] == []
    assert all(field.description for field in Settings.model_fields.values())


# --set


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("epochs=15", ("epochs", "15")),
        (" epochs = 15 ", ("epochs", "15")),
        ("user_column=a=b", ("user_column", "a=b")),
        ("user_column=", ("user_column", "")),
    ],
)
def test_an_override_is_a_pair(text: str, pair: tuple[str, str]) -> None:
    assert parse_override(text) == pair


@pytest.mark.parametrize("text", ["", "epochs", "=3", "  =3", "epochs 15", "epochs:15"])
def test_an_override_without_name_or_sign_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"write it as key=value") as caught:
        parse_override(text)
    assert repr(text) in str(caught.value)
