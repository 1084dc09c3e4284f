"""Item features: what a model learns from metadata, what its run keeps, and what stays as it is without."""

import shutil
import warnings
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from cli_runner import RUN_FILES, SMALL, Interrupted, run_cli, shop_log
from elcrec import ELCRec, ElcrecError, Interactions, RunError, SettingsError
from elcrec.config import Settings, resolve
from elcrec.data.catalogue import Catalogue
from elcrec.data.dataset import Dataset
from elcrec.data.features import FeatureSpace
from elcrec.data.synthetic import make_shop
from elcrec.data.user_table import UserTable
from elcrec.errors import DataWarning
from elcrec.model.encoding import user_vectors
from elcrec.model.network import ELCRecNetwork
from elcrec.training.automatic import epochs_with_features
from elcrec.training.loop import prepare
from elcrec.training.objective import Objective, StepInput
from elcrec.training.optimizer import Optimizer
from elcrec.training.steps import StepSource

NEW = "a new thing"


def shelves() -> pl.DataFrame:
    """What is known of the items of the small shop: shelf, title, price, vector; of one nothing."""
    frame = make_shop(300, 0.2, 1).shelf_of_item
    shelf = pl.col("planted").rank("dense").cast(pl.Int64)
    number = pl.col("item_id").cum_count()
    return frame.select(
        "item_id",
        title=pl.format("a thing of shelf {} and more", shelf),
        shelf="planted",
        price=shelf + number / 1000,
        vector=pl.concat_list([((shelf + place) % 5 + 0.25).cast(pl.Float64) for place in range(8)]),
    ).slice(1)


def trained(items: Any = None, log: pl.DataFrame | None = None, **settings: Any) -> ELCRec:
    log = shop_log() if log is None else log
    return ELCRec(seed=1, baselines=False, **{**SMALL, **settings}).fit(log, items=items, progress=False)


@pytest.fixture(scope="module")
def model() -> ELCRec:
    return trained(shelves())


def test_all_kinds_of_columns_are_learned_from(model: ELCRec) -> None:
    space = model.fitted.dataset.features
    assert space is not None
    assert {column.name: column.kind for column in space.columns} == {
        "shelf": "categories",
        "price": "numbers",
        "vector": "vectors",
        "title": "words",
    }
    embedding = model.network.item_table.of_features
    assert embedding is not None
    assert embedding.weight.shape == (space.n_features, SMALL["embedding_dim"])
    assert embedding.projection.shape == (8, SMALL["embedding_dim"])
    assert all(record["losses"]["features"] > 0 for record in model.history)


def test_the_first_hours_of_training_gain_from_what_is_planted(model: ELCRec) -> None:
    assert model.metrics["valid"]["ndcg@20"] > trained().metrics["valid"]["ndcg@20"]


@pytest.mark.parametrize("settings", [{}, {"recipe": "large", "n_negatives": 33}])
def test_without_item_features_metadata_changes_no_bit(settings: dict[str, Any]) -> None:
    without = trained(**settings)
    described = trained(shelves(), item_features=False, **settings)
    assert described.fitted.dataset.features is None
    theirs = described.network.state_dict()
    assert theirs.keys() == without.network.state_dict().keys()
    assert all(torch.equal(value, theirs[name]) for name, value in without.network.state_dict().items())


def test_a_run_keeps_what_it_needs(tmp_path: Path) -> None:
    log, items, run = tmp_path / "log.csv", tmp_path / "items.parquet", tmp_path / "run"
    shop_log().write_csv(log)
    shelves().write_parquet(items)
    sets = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]
    done = run_cli("train", log, "--out", run, "--items", items, *sets)
    assert done.code == 0, done.err
    assert "features: shelf (" in done.err
    assert {path.name for path in run.iterdir()} == RUN_FILES | {"items.parquet", "features.json"}
    assert "features: shelf (" in (run / "README.md").read_text()
    loaded = ELCRec.load(run)
    again = trained(shelves())
    assert loaded.fitted.dataset.features == again.fitted.dataset.features
    assert loaded.fitted.dataset.catalogue is not None
    assert loaded.recommend(k=3).equals(again.recommend(k=3))
    loaded.save(tmp_path / "copy")
    assert (tmp_path / "copy" / "features.json").read_bytes() == (run / "features.json").read_bytes()
    (run / "features.json").write_text("{}")
    with pytest.raises(RunError, match=r"features\.json"):
        ELCRec.load(run)


@pytest.mark.parametrize("recipe", ["default", "large"])
def test_incremental_training_places_a_new_item_by_its_features(model: ELCRec, recipe: str) -> None:
    model = model if recipe == "default" else trained(shelves(), recipe=recipe, n_negatives=33)
    log = shop_log()
    shelf = shelves()["shelf"][0]
    like = shelves().filter(pl.col("shelf") == shelf)
    last = log["timestamp"].max()
    users = log["user_id"].unique(maintain_order=True).head(3)
    newer = pl.DataFrame({"user_id": users, "item_id": [NEW] * 3, "timestamp": [last] * 3}).with_columns(
        pl.col("timestamp") + pl.duration(days=1)
    )
    described = like.head(1).with_columns(item_id=pl.lit(NEW))
    after = copied(model).partial_fit(newer, epochs=1, items=described, progress=False)
    assert NEW in set(after.items.ids)
    assert after.fitted.dataset.features == model.fitted.dataset.features
    near = after.similar_items([NEW], k=5)["item_id"]
    assert set(near) & set(like["item_id"])


def test_explanations_add_up_with_features(model: ELCRec) -> None:
    found = model.recommend(users=[shop_log()["user_id"][0]], k=5, explain=True)
    for row in found.iter_rows(named=True):
        whole = sum(part["part"] for part in row["parts"]) + row["residual"] + row["steering"] + row["repeat"]
        assert whole == pytest.approx(row["score"], abs=1e-4)


def step_of(settings: Settings, items: pl.DataFrame | None = None) -> tuple[ELCRecNetwork, StepInput, list[float]]:
    """A network that learns from features, a step, and the terms of its objective, with gradients."""
    known = Catalogue.read(shelves() if items is None else items)
    plain = Dataset.of(Interactions.read(shop_log()), settings, torch.device("cpu"), known)
    dataset = plain.with_features(settings)
    split = dataset.for_training()
    torch.manual_seed(0)
    network = ELCRecNetwork(settings, len(dataset.items), dataset.features)
    prepare(network, split, settings)
    step = next(iter(StepSource(split, settings, network.n_items).epoch(torch.Generator().manual_seed(1))))
    terms, _ = Objective(settings)(network, step, torch.zeros(settings.n_intents))
    terms.total.backward()
    return network, step, [term.item() for term in terms]


def gradients(network: ELCRecNetwork) -> dict[str, torch.Tensor]:
    return {name: weight.grad.to_dense() for name, weight in network.named_parameters() if weight.grad is not None}


EXACT: dict[str, Any] = {"dropout": 0.0, "warmup_epochs": 0, "precision": "float32"}


def test_a_step_on_its_items_is_the_step_on_all() -> None:
    settings = Settings(**{**SMALL, **EXACT, "next_item_loss": "sampled_softmax", "n_negatives": 64, "smoothing": 0.0})
    whole, _, terms = step_of(settings)
    few, _, few_terms = step_of(settings.model_copy(update={"item_updates": "touched"}))
    assert few_terms == pytest.approx(terms, rel=1e-5)
    theirs = gradients(few)
    assert theirs.keys() == gradients(whole).keys()
    for name, gradient in gradients(whole).items():
        torch.testing.assert_close(theirs[name], gradient, rtol=1e-4, atol=1e-7)


def test_only_touched_and_predicted_features_move_and_those_as_by_adam() -> None:
    words = shelves().with_columns(title=pl.format("a thing of box{}", pl.int_range(pl.len()) // 3))
    few = {"batch_size": 2, "n_negatives": 3, "smoothing": 0.0, "next_item_loss": "sampled_softmax"}
    moved, gradient = {}, {}
    for updates in ("all", "touched"):
        settings = Settings(**{**SMALL, **EXACT, **few, "item_updates": updates})
        network, step, _ = step_of(settings, words)
        table, embedding = network.item_table, network.item_table.of_features
        assert embedding is not None
        assert table.feature_rows is not None
        assert embedding.weight.grad is not None
        assert embedding.weight.grad.is_sparse == (updates == "touched")
        before, gradient[updates] = embedding.weight.detach().clone(), embedding.weight.grad.to_dense()
        Optimizer(network, settings).step()
        moved[updates] = embedding.weight.detach() - before
    touched, _ = step.on_its_items()
    left = torch.ones(len(before), dtype=torch.bool)
    left[table.feature_rows.features.at(touched).feature_Z] = False
    left[: embedding.n_predicted] = False
    assert left.any()
    assert not moved["touched"][left].any()
    clear = gradient["all"].abs() > 1e-5  # Adam's first step is the sign, which rounding turns where there is none
    assert clear[: embedding.n_predicted].any()
    assert clear[embedding.n_predicted :].any()
    torch.testing.assert_close(moved["touched"][clear], moved["all"][clear], rtol=1e-2, atol=1e-4)


def test_the_table_is_the_sum_and_the_loss_that_of_a_loop() -> None:
    settings = Settings(**{**SMALL, **EXACT})
    network, step, terms = step_of(settings)
    table, embedding = network.item_table, network.item_table.of_features
    assert embedding is not None
    assert table.feature_rows is not None
    assert table.neighbours is not None
    rows = table.feature_rows.sparse_RF.to_dense()
    weight = table.weight.detach()
    expected = weight + table.neighbours.to_dense() @ weight + rows @ embedding.weight.detach()
    expected += table.feature_rows.features.vector_RP @ embedding.projection.detach()
    torch.testing.assert_close(table.vectors().detach(), expected)
    with table.baked():
        torch.testing.assert_close(table.weight.detach(), expected)
    # The loss, target by target.
    n_predicted = embedding.n_predicted
    assert 0 < n_predicted < len(embedding.weight)
    hidden = network.encoder(step.tokens).detach()
    total, count = 0.0, 0
    for at, items in enumerate(step.targets.item_TH.tolist()):
        if items[0] == 0:
            continue
        count += 1
        logits = (embedding.weight[:n_predicted].detach() @ hidden[at]).log_softmax(dim=0)
        known = [settings.horizon_decay**step_ahead if item else 0.0 for step_ahead, item in enumerate(items)]
        for item, share in zip(items, known, strict=True):
            features = rows[item, :n_predicted]
            if features.sum() > 0:
                total -= share / sum(known) * float((features / features.sum() * logits).sum())
    assert terms[-1] == pytest.approx(total / count, rel=1e-4)


@pytest.mark.parametrize("settings", [{}, {"recipe": "large", "n_negatives": 33}])
def test_vectors_alone_are_learned_from_without_predicting_anything(settings: dict[str, Any]) -> None:
    model = trained(shelves().select("item_id", "vector"), **settings)
    assert str(model.fitted.dataset.features) == "vector (8 dimensions)"
    assert [record["losses"]["features"] for record in model.history] == [0.0] * SMALL["epochs"]
    assert not torch.equal(model.network.items_VD, trained(**settings).network.items_VD)


def test_a_recipe_of_others_learns_from_no_metadata() -> None:
    for recipe in ("paper", "iclrec", "cl4srec", "sasrec", "sasrec-bce"):
        assert not resolve(recipe).item_features
    assert resolve("default").item_features
    assert resolve("large").item_features


def newcomers(count: int = 3) -> pl.DataFrame:
    """New items, each described like another of the shop."""
    return shelves().head(count).with_columns(item_id=pl.format("new {}", pl.int_range(count)))


def copied(model: ELCRec) -> ELCRec:
    return ELCRec.from_fitted(model.fitted)


def test_new_items_are_recommended_found_and_counted_on_their_first_day(model: ELCRec, tmp_path: Path) -> None:
    after = copied(model).add_items(newcomers())
    new = newcomers()["item_id"].to_list()
    assert after.items.ids.to_list() == [*model.items.ids, *new]
    theirs = after.network.items_VD
    assert torch.equal(theirs[: len(model.items)], model.network.items_VD)
    shelf = dict(zip(shelves()["item_id"], shelves()["shelf"], strict=True))
    for name, like in zip(new, shelves()["shelf"].head(3), strict=True):
        near = after.similar_items([name], k=3)["item_id"].to_list()
        assert like in {shelf.get(item, like) for item in near}
    shown = after.recommend(k=10)["item_id"].to_list()
    assert set(new) & set(shown)
    assert after.recommend_from_history([[new[0], new[1]]], k=5).height == 5
    assert after.metrics["added_items"] == 3
    after.save(tmp_path / "run")
    loaded = ELCRec.load(tmp_path / "run")
    assert loaded.recommend(k=10).equals(after.recommend(k=10))
    assert loaded.evaluate()["n_users"] == model.evaluate()["n_users"]


def test_the_dial_says_how_popular_new_items_are(model: ELCRec) -> None:
    user_QD = user_vectors(model.network, model.fitted.dataset.of_users())

    def mean_score(popularity: float) -> float:
        after = copied(model).add_items(newcomers(), popularity)
        return float((user_QD @ after.network.items_VD[len(model.items) :].T).mean())

    assert mean_score(0.0) < mean_score(0.5) < mean_score(0.7) < mean_score(1.0)


def test_added_items_stay_through_incremental_training(model: ELCRec) -> None:
    after = copied(model).add_items(newcomers())
    log, new = shop_log(), newcomers()["item_id"].to_list()
    newer = log.group_by("user_id", maintain_order=True).last().head(20).select(log.columns)
    newer = newer.with_columns(pl.col("timestamp") + pl.duration(days=1), item_id=pl.lit(new[0]))
    after.partial_fit(newer, epochs=1, progress=False)
    assert set(new) <= set(after.items.ids)
    assert set(after.items.ids) == {*model.items.ids, *new}
    assert after.metrics["learnt_on"]["new_items"] == 1  # the one that has its first event


def test_items_get_the_same_vectors_in_one_call_and_day_by_day(model: ELCRec) -> None:
    items = (
        newcomers(12)
        .with_row_index("day")
        .select("item_id", "title", "shelf", "price", "vector", day=pl.col("day") // 3)
    )
    at_once, daily = copied(model).add_items(items.drop("day")), copied(model)
    for [_], some in items.group_by("day", maintain_order=True):
        daily.add_items(some.drop("day"))
    assert daily.items.ids.equals(at_once.items.ids)
    torch.testing.assert_close(daily.network.items_VD, at_once.network.items_VD, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("items", "popularity", "reason"),
    [
        (shelves().head(2), 0.5, "all 2 items are known already"),
        (pl.DataFrame({"item_id": ["x", "y"], "shelf": ["nowhere", "never"]}), 0.5, "no new item has a feature"),
        (newcomers(), 1.5, "popularity=1.5: use a number from 0 to 1"),
    ],
)
def test_items_that_cannot_be_added_are_refused(
    model: ELCRec, items: pl.DataFrame, popularity: float, reason: str
) -> None:
    after = copied(model)
    with pytest.raises(ElcrecError, match=reason):
        after.add_items(items, popularity)
    assert after.items.ids.equals(model.items.ids)


def test_new_items_without_known_features_are_left_out_with_a_warning(model: ELCRec) -> None:
    some = pl.concat(
        [newcomers(2).select("item_id", "shelf"), pl.DataFrame({"item_id": ["odd"], "shelf": ["nowhere"]})]
    )
    after = copied(model)
    with pytest.warns(DataWarning, match=r"1 of 3 new items are left out.*'odd'"):
        after.add_items(some)
    assert set(after.items.ids) - set(model.items.ids) == {"new 0", "new 1"}


def test_a_model_without_features_adds_no_items() -> None:
    with pytest.raises(SettingsError, match="learned from no item features"):
        trained().add_items(newcomers())
    described = trained(shelves(), item_features=False)
    with pytest.raises(SettingsError, match="train it with item_features=True, and items with a column that tells"):
        described.add_items(newcomers())


def test_the_command_writes_a_new_run(model: ELCRec, tmp_path: Path) -> None:
    model.save(tmp_path / "run")
    newcomers().drop("vector").write_csv(tmp_path / "new.csv")
    made = run_cli("add-items", tmp_path / "run", "--items", tmp_path / "new.csv", "--out", tmp_path / "next", "--json")
    assert made.document()["added"] == 3
    assert len(ELCRec.load(tmp_path / "next").items) == len(model.items) + 3
    again = run_cli("add-items", tmp_path / "run", "--items", tmp_path / "new.csv", "--out", tmp_path / "next")
    assert "--overwrite" in again.complaint()


def test_a_column_of_another_name_is_named_in_a_warning(model: ELCRec, tmp_path: Path) -> None:
    renamed = newcomers().rename({"title": "name"})
    said = r"columns of the training are missing, or empty, in these items: 'title'; .* did not learn from 'name'"
    with pytest.warns(DataWarning, match=said):
        copied(model).add_items(renamed)
    with pytest.warns(DataWarning, match=said):
        copied(model).describe_items(shelves().rename({"title": "name"}))
    model.save(tmp_path / "run")
    shop_log().tail(1).with_columns(item_id=pl.lit("new 0")).write_csv(tmp_path / "newer.csv")
    renamed.drop("vector").write_csv(tmp_path / "items.csv")
    files = (tmp_path / "newer.csv", "--items", tmp_path / "items.csv", "--out", tmp_path / "next")
    done = run_cli("train", *files, "--from", tmp_path / "run", "--set", "epochs=1")
    assert done.code == 0, done.err
    assert "missing, or empty, in these items: 'vector', 'title'" in done.err


def vectors_of(items: pl.DataFrame, *sizes: int) -> pl.Series:
    """Vectors of these lengths, the last one of all other items."""
    return pl.Series("vector", [[row + 0.25] * sizes[min(row, len(sizes) - 1)] for row in range(len(items))])


@pytest.mark.parametrize("written", [False, True])
def test_a_vector_of_another_length_is_named_and_no_number_is_an_attribute(written: bool, tmp_path: Path) -> None:
    items = shelves().select("item_id", "shelf", "vector")
    clipped = pl.int_range(pl.len()) == 2
    items = items.with_columns(pl.when(clipped).then(pl.col("vector").list.head(7)).otherwise("vector"))
    source: Any = items
    if written:
        text = pl.format("[{}]", pl.col("vector").cast(pl.List(pl.String)).list.join(", "))
        source = tmp_path / "items.csv"
        items.with_columns(vector=text).write_csv(source)
    said = f"1 of {len(items)} vectors in 'vector' counts as missing: item {items['item_id'][2]!r} has 7 numbers"
    with pytest.warns(DataWarning, match=f"{said}, and not 8"):
        model = trained(source)
    space, catalogue = model.fitted.dataset.features, model.catalogue
    assert space is not None
    assert [(column.name, column.size) for column in space.columns if column.kind == "vectors"] == [("vector", 8)]
    assert catalogue is not None
    assert set(catalogue.pairs()["attribute"]) <= set(items["shelf"])


def test_vectors_of_another_length_than_the_models_are_named(model: ELCRec, tmp_path: Path) -> None:
    longer = newcomers(5).with_columns(vectors_of(newcomers(5), 12))
    none = "no vector in 'vector' counts: item 'new 0' has 12 numbers, and those of the training 8"
    with pytest.warns(DataWarning, match=none):
        added = copied(model).add_items(longer)
    assert not added.fitted.dataset.item_features().vector_RP[-5:].any()
    some = newcomers(5).with_columns(vectors_of(newcomers(5), 12, 12, 12, 8))
    with pytest.warns(DataWarning, match="3 of 5 vectors in 'vector' count as missing: item 'new 0' has 12 numbers"):
        added = copied(model).add_items(some)
    assert added.fitted.dataset.item_features().vector_RP[-5:].any(dim=1).tolist() == [False, False, False, True, True]
    model.save(tmp_path / "run")
    shop_log().tail(1).with_columns(item_id=pl.lit("new 0")).write_csv(tmp_path / "newer.csv")
    longer.write_parquet(tmp_path / "items.parquet")
    files = (tmp_path / "newer.csv", "--items", tmp_path / "items.parquet", "--out", tmp_path / "next")
    done = run_cli("train", *files, "--from", tmp_path / "run", "--set", "epochs=1")
    assert done.code == 0, done.err
    assert none in done.err


def test_columns_that_the_training_did_not_have_are_named_and_its_own_are_not(model: ELCRec) -> None:
    with pytest.warns(DataWarning, match="the training did not learn from 'brand': only a training from scratch"):
        copied(model).add_items(newcomers().with_columns(brand=pl.lit("x")))
    plain = [pl.format("sku {}", "item_id").alias("sku"), pl.lit("x").alias("stock")]
    model = trained(shelves().with_columns(plain))
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        model.add_items(newcomers().with_columns(plain))


def odd_columns(height: int) -> pl.DataFrame:
    """Columns that give no feature, each for another reason."""
    rows = range(height)
    return pl.DataFrame(
        {
            "sku": [f"sku-{row}" for row in rows],
            "stock": ["here"] * height,
            "weight": [2.5] * height,
            "rare": [f"pair {row // 2}" for row in rows],
            "blank": pl.Series([None] * height, dtype=pl.String),
            "box": [{"a": row} for row in rows],
            "opens": [time(row % 24) for row in rows],
            "lasts": [timedelta(days=row) for row in rows],
            "flags": [[True, False]] * height,
        }
    )


def test_columns_without_features_are_named_with_the_reason(tmp_path: Path) -> None:
    items = pl.concat([shelves(), odd_columns(len(shelves()))], how="horizontal")
    model = trained(items)
    model.save(tmp_path / "run")
    again = ELCRec.load(tmp_path / "run")
    again.save(tmp_path / "again")
    card = (tmp_path / "again" / "README.md").read_text(encoding="utf-8")
    for said in (model.fitted.dataset.said_features()[0], again.fitted.dataset.said_features()[0], card):
        for name in ("shelf", "price", "vector", "title"):
            assert f"{name} (" in said.split("no features: ")[0]
        assert "; no features: blank (no value), " in said
        assert "and 1 more" in said  # nine are too many for a line
    nothing = pl.concat([items.select("item_id"), items.select("sku", "box")], how="horizontal")
    said = trained(nothing).fitted.dataset.said_features()[0]
    assert said.endswith("nothing is learned from it; no features: box (of type struct), sku (all values differ)")


@pytest.mark.parametrize("of", ["item", "user"])
def test_every_reason_of_a_column_without_features_is_told(of: str) -> None:
    frame = odd_columns(60).with_columns(pl.int_range(60).alias(f"{of}_id"))
    found = (Catalogue if of == "item" else UserTable).read(frame)
    space = FeatureSpace.of(found.features, found.featureless)
    assert space.columns == ()
    assert space.featureless == {
        "blank": "no value",
        "box": "of type struct",
        "opens": "of type time",
        "lasts": "of type duration",
        "flags": "of type list of boolean",
        "sku": "all values differ",
        "stock": "one value",
        "weight": "one value",
        "rare": "values too rare",
    }


def test_ids_with_leading_zeros_are_no_whole_numbers(tmp_path: Path) -> None:
    shelf = pl.Series("shelf", ["a", "b"] * 20)
    ids = pl.Series("item_id", [f"{number:03}" for number in range(40)])
    # So few events do not tell that the shelf tells nothing.
    log = shop_log(120).select("user_id", "timestamp", item_id=pl.col("item_id").rank("dense").cast(pl.Int64) % 40)
    (tmp_path / "text.csv").write_text(pl.DataFrame([ids, shelf]).write_csv())
    log.with_columns(pl.col("item_id").cast(pl.String).str.zfill(3)).write_csv(tmp_path / "log.csv")
    described = trained(tmp_path / "text.csv", Interactions.read(tmp_path / "log.csv"))  # type: ignore[arg-type]
    assert described.catalogue is not None
    assert len(described.catalogue) == 40
    numbered = trained(pl.DataFrame([ids.cast(pl.Int64), shelf]), log)
    with pytest.raises(ElcrecError, match="item '000' is no whole number"):
        numbered.add_items(tmp_path / "text.csv")


@pytest.mark.parametrize("began_with", [8, 12])
def test_a_resumed_training_keeps_its_number_of_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, began_with: int
) -> None:
    changed = {"epochs": "auto", "batch_size": 60, "epoch_steps": 1}
    monkeypatch.setattr("elcrec.training.automatic.FEATURE_STEPS", 40)  # 8 epochs of these 5 steps
    assert epochs_with_features(resolve("default", {"batch_size": 60}), 300)["value"] == 8  # type: ignore[index]
    model, again = (ELCRec(seed=1, baselines=False, **{**SMALL, **changed}) for _ in range(2))
    with monkeypatch.context() as patch:
        if began_with == 12:  # as earlier versions did
            patch.setattr("elcrec.training.fit.epochs_with_features", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            model.fit(shop_log(), tmp_path / "run", items=shelves(), progress=Interrupted())
    again.fit(shop_log(), tmp_path / "run", progress=False, resume=True)
    assert again.metrics["choices"]["epochs"]["value"] == again.metrics["epochs"] == began_with
    reason = "the training began with them" if began_with == 12 else "300 users and item features: more overfits"
    assert again.metrics["choices"]["epochs"]["reason"] == reason


def test_a_resumed_training_says_what_it_learns_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, items, run = tmp_path / "log.csv", tmp_path / "items.parquet", tmp_path / "run"
    shop_log().write_csv(log)
    noise = pl.Series("noise", [f"n{at % 3}" for at in range(len(shelves()))]).shuffle(seed=1)
    shelves().with_columns(noise).write_parquet(items)
    with pytest.raises(KeyboardInterrupt), pytest.warns(DataWarning, match="nothing is learned from 'noise'"):
        ELCRec(seed=1, **SMALL).fit(log, run, items=items, progress=Interrupted())
    monkeypatch.setattr("elcrec.data.dataset.without_agreement", None)  # it is not fitted again
    sets = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]
    for given in ((), ("--items", items)):
        shutil.copytree(run, tmp_path / f"run{len(given)}")
        done = run_cli("train", log, "--out", tmp_path / f"run{len(given)}", "--resume", "--seed", 1, *sets, *given)
        assert done.code == 0, done.err
        assert "items are described; features: shelf (" in done.err
        assert "warning: nothing is learned" not in done.err
