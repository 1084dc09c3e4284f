"""``elcrec recommend``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elcrec.cli.filters import AllAttributes, Allow, Attribute, Deny, Filters
from elcrec.cli.histories import histories_of, one_id_a_line, user_features_of
from elcrec.cli.output import console, print_json, print_rows, progress_bar, say, without_index
from elcrec.cli.parameters import (
    INTENT,
    Device,
    Histories,
    HistoryFile,
    IdsOnly,
    Json,
    Ray,
    Run,
    Unknown,
    UserFeatures,
    excludes_seen,
    intents_of,
    refuse_unused,
    table_file,
)
from elcrec.errors import SettingsError
from elcrec.process.wording import counted

if TYPE_CHECKING:
    import polars as pl

    from elcrec.inference.policy import RankingPolicy
    from elcrec.recommender import ELCRec

commands = typer.Typer()


@commands.command(
    epilog="Examples:\n\n  elcrec recommend runs/shop --user 42 --user 43 -k 5\n\n"
    "  elcrec recommend runs/shop --history milk,bread --json\n\n"
    "  elcrec recommend runs/shop --history milk,bread --user-feature country=DE\n\n"
    "  elcrec recommend runs/films --history 'Casablanca,Godfather, The'\n\n"
    "  elcrec recommend runs/shop --history-file basket.json\n\n"
    "  elcrec recommend runs/shop --all --out recommendations.parquet\n\n"
    "  elcrec recommend runs/shop --user 42 --explain\n\n"
    "  elcrec recommend runs/shop --user 42 --intent 7 --strength 0.5 --exclude-intent 3\n\n"
    "  elcrec recommend runs/shop --user 42 --deny sold-out.txt --attribute category=dairy"
)
# reason: options of a verb
def recommend(
    run: Run,
    user: Annotated[list[str] | None, typer.Option(help="Id of a known user; repeatable.")] = None,
    history: Histories = None,
    history_file: HistoryFile = None,
    user_feature: UserFeatures = None,
    everybody: Annotated[bool, typer.Option("--all", help="Recommend to all known users; needs --out.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the recommendations to this file: .parquet, .csv or .jsonl.")
    ] = None,
    k: Annotated[
        int, typer.Option("-k", "--k", "--top", min=1, help="Number of recommendations per user (top-k).")
    ] = 10,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also recommend items that are in the history already.")
    ] = False,
    only_seen: Annotated[
        bool, typer.Option("--only-seen", help="Recommend only items that are in the history already (buy again).")
    ] = False,
    exclude_seen: Annotated[
        bool, typer.Option("--exclude-seen", help="Recommend only items that are not in the history yet.")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Explain each recommendation: the main intent, its share of the score, the history items behind it, "
            "and the rank without it.",
        ),
    ] = False,
    intent: Annotated[
        list[str] | None,
        typer.Option(
            metavar=INTENT,
            help="Steer the recommendations toward this intent, by its number or given name; repeatable.",
        ),
    ] = None,
    exclude_intent: Annotated[
        list[str] | None,
        typer.Option(metavar=INTENT, help="Remove what this intent contributes to the scores; repeatable."),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Weight of --intent: 0 ignores it, 1 ignores the user's history. Default: 0.8."
        ),
    ] = None,
    diversify: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Calibrated re-ranking: 0 ranks by score alone, 1 by the mix of the user's intents alone.",
        ),
    ] = 0.0,
    approximate: Annotated[
        bool,
        typer.Option(
            "--approximate", help="Use approximate nearest-neighbour search (large catalogues); see 'elcrec index'."
        ),
    ] = False,
    allow: Allow = None,
    deny: Deny = None,
    attribute: Attribute = None,
    all_attributes: AllAttributes = None,
    unknown: Unknown = "raise",
    ids_only: IdsOnly = False,
    ray: Ray = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Recommend the next items to known users, or for the histories of new users."""
    for_histories = bool(history) or history_file is not None
    whom = {"--user": user, "--history": history, "--history-file": history_file, "--all": everybody}
    _check_choice(whom, ray)
    if user_feature and not for_histories:
        raise SettingsError("--user-feature tells about the user of --history: known users have their own features")
    _refuse_unused(everybody and not (allow or deny), unknown, intent, strength, ray, device)
    known = user_features_of(user_feature)
    if ray is None:
        table_file(out, "--out")
    from elcrec.inference.policy import requested_policy

    policy = requested_policy(
        k=k,
        exclude_seen=excludes_seen(include_seen, exclude_seen, only_seen),
        only_seen=only_seen,
        explain=explain,
        intents=intents_of(run, "--intent", intent),
        exclude_intents=intents_of(run, "--exclude-intent", exclude_intent),
        strength=strength,
        diversify=diversify,
        approximate=approximate,
        titles=not ids_only,
        unknown=unknown,
        **Filters(allow, deny, attribute, all_attributes, run, unknown).fields(),
    )
    with one_id_a_line(allow, deny, history_file):
        if everybody:
            _recommend_to_all(run, out, policy, ray, device, as_json)
            return
        from elcrec.recommender import ELCRec

        model = ELCRec.load(run, device)
        _say_whether_indexed(model, run, policy)
        titles = model.fitted.dataset.titles
        histories = histories_of(history, history_file, titles) if for_histories else None
        found = _recommended(model, user, histories, unknown, policy, known)
        _say_what_is_missing(model, found, user, histories, unknown)
        _show(model, found, out, explain, as_json)


def _check_choice(whom: dict[str, Any], ray: int | None) -> None:
    """Raise SettingsError unless it is clear to whom the items are recommended, by options and their values."""
    given = [option for option, value in whom.items() if value]
    if given not in (["--user"], ["--all"], ["--history"], ["--history-file"], ["--history", "--history-file"]):
        both = f": {', '.join(given)} are given" if given else ""
        raise SettingsError(
            f"choose whom to recommend to, with one of: --user ID, --history ID,ID,... (or --history-file), --all{both}"
        )
    if ray is not None and given != ["--all"]:
        raise SettingsError("--ray distributes the recommendations to all users: use it with --all")


# reason: the options that can be without effect
def _refuse_unused(
    known_alone: bool, unknown: str, intent: list[str] | None, strength: float | None, ray: int | None, device: str
) -> None:
    """Raise SettingsError for options that would have no effect."""
    if not intent:
        refuse_unused("it weighs --intent, which is missing", strength=strength is not None)
    if known_alone:
        refuse_unused(
            "--all recommends to known users only, and no --allow or --deny names items", unknown=unknown != "raise"
        )
    if ray is not None:
        refuse_unused("each worker of --ray chooses its device", device=device != "auto")


def _say_whether_indexed(model: ELCRec, run: Path, policy: RankingPolicy) -> None:
    """Say where approximate search has no index yet, unless the policy is refused."""
    if policy.approximate and model.topn.index_path is None and model.topn.resolve(policy):
        say(without_index(run))


def _recommended(
    model: ELCRec,
    users: list[str] | None,
    histories: list[list[str]] | None,
    unknown: str,
    policy: RankingPolicy,
    known: dict[str, Any] | None,
) -> pl.DataFrame:
    """Recommendations to known users, or for histories: those have a ``user_id`` too, which is null.

    Of whose histories these are, ``known`` tells the features.
    """
    import polars as pl

    dataset = model.fitted.dataset
    if histories is None:
        return model.topn.recommend(dataset.of_users(users, unknown), policy)
    features = None if known is None else [known] * len(histories)
    for name in dataset.unknown_among(known or {}):
        say(f"warning: the model knows no {name} {known[name]!r}: it counts as unknown")  # type: ignore[index]
    found = model.topn.recommend(dataset.of_items(histories, unknown, features), policy)
    return found.select(pl.lit(None).alias("user_id"), pl.all())


def _say_what_is_missing(
    model: ELCRec, found: pl.DataFrame, users: list[str] | None, histories: list[list[str]] | None, unknown: str
) -> None:
    """Say for whom there is nothing, or, where unknown ids are skipped, how many are."""
    if unknown == "skip":
        _say_what_is_left_out(model, users, histories)
    else:
        _say_who_gets_nothing(found, users)


def _say_what_is_left_out(model: ELCRec, users: list[str] | None, histories: list[list[str]] | None) -> None:
    """Count the users, or items of histories, that are skipped because the model does not know them."""
    if histories is None:
        left, thing = (model.users.found(users or []) < model.users.first).sum(), "unknown user"
    else:
        items = [item for history in histories for item in history]
        left, thing = (model.fitted.dataset.titles.indices(items, "skip") < model.items.first).sum(), "unknown item"
    if left:
        say(f"{counted(int(left), thing)} left out")


def _say_who_gets_nothing(found: pl.DataFrame, users: list[str] | None) -> None:
    """Name the known users without recommendations; of histories, say only where none has any."""
    import polars as pl

    got = set(found["user_id"].cast(pl.String))
    without = [user for user in dict.fromkeys(users or []) if user not in got]
    if without or found.is_empty():
        whom = f"user {', '.join(without)}" if without else "this history"
        say(
            f"nothing to recommend for {whom}: all items that may be listed are in the history (--include-seen lists "
            "them, too), or are filtered out"
        )


def _recommend_to_all(
    run: Path, out: Path | None, policy: RankingPolicy, ray: int | None, device: str, as_json: bool
) -> None:
    """Write the recommendations to all known users."""
    if out is None:
        raise SettingsError("--all needs --out: a file (.parquet, .csv or .jsonl) for the recommendations to all users")
    if ray is not None:
        from elcrec.integrations.ray import recommend_on_ray
        from elcrec.storage import table_format

        if table_format(out) != "parquet":
            raise SettingsError(f"--out {out}: --ray writes a folder of Parquet files; name it {out.with_suffix('')}")
        _show_written(recommend_on_ray(ray, run, out, **vars(policy)), out, as_json)
        return
    from elcrec.recommender import ELCRec

    model = ELCRec.load(run, device)
    _say_whether_indexed(model, run, policy)
    _show_written(_write_all(model, out, policy), out, as_json)


def _write_all(model: ELCRec, out: Path, policy: RankingPolicy) -> int:
    """Write recommendations block by block, with a progress bar and the throughput; returns the number of rows."""
    from elcrec.storage import write_frames

    started, n_users = time.perf_counter(), len(model.users)
    with progress_bar("users", n_users) as update:

        def blocks() -> Iterator[pl.DataFrame]:
            rows, users = 0, 0
            for block in model.topn.recommend_in_blocks(model.fitted.dataset.of_users(), policy):
                yield model.with_intent_names(block)
                rows, users = rows + len(block), users + block["user_id"].n_unique()
                update(users, _throughput(rows, started))

        rows = write_frames(out, blocks())
    say(f"recommended to {counted(n_users, 'user')}, at {_throughput(rows, started)}")
    return rows


def _throughput(rows: int, started: float) -> str:
    return f"{rows / max(time.perf_counter() - started, 1e-9):,.0f} rows per second"


def _show(model: ELCRec, found: pl.DataFrame, out: Path | None, explain: bool, as_json: bool) -> None:
    """Print recommendations, or write them to a file; explanations come with the names of the intents."""
    if out is not None:
        from elcrec.storage import write_table

        write_table(out, model.with_intent_names(found))
        _show_written(len(found), out, as_json)
    elif explain and not as_json:
        from elcrec.cli.tables import explanation_table

        # Recommendations for histories have no user id.
        known = found if found["user_id"].null_count() < len(found) else found.drop("user_id")
        console().print(explanation_table(known, model.intent_names))
    else:
        print_rows(model.with_intent_names(found), as_json)


def _show_written(rows: int, out: Path, as_json: bool) -> None:
    say(f"{counted(rows, 'row')} written to {out}")
    if as_json:
        print_json({"out": str(out), "rows": rows})
