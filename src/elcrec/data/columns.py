"""Column detection: the usual names of users, items, times and kinds of event."""

from __future__ import annotations

import re
from collections.abc import Sequence

from elcrec.errors import DataError
from elcrec.process.wording import listed, setting

# They name items where no id column is present; next to one they describe the item.
NAMES_OF_ITEMS = (
    *("movie", "movie_name", "movie_title", "film", "game", "game_name", "book", "book_title", "song", "song_name"),
    *("track", "track_name", "video", "article", "artist", "artist_name", "item_name", "item_title", "product_name"),
    "product_title",
)
# The first of a list that is there is taken; capitals, blanks, '_', '-' and RecBole's ':type' make no difference.
ALIASES: dict[str, tuple[str, ...]] = {
    "user_id": (
        *("user_id", "user", "uid", "user_idx", "customer_id", "customer", "visitor_id", "member_id", "client_id"),
        *("account_id", "reviewer_id", "query_id", "user_pseudo_id", "household_key", "household_id", "buyer_id"),
        *("shopper_id", "subscriber_id", "player_id", "viewer_id", "listener_id", "reader_id", "student_id", "cust_id"),
        *("profile_id", "person_id", "steam_id", "user_uuid", "customer_no", "customer_number", "customer_code"),
        *("username", "user_name", "visitor", "member", "buyer"),
        *("distinct_id", "domain_userid", "full_visitor_id", "anonymous_id", "cookie_id", "device_id", "msno"),
        *("session_id", "session"),
    ),
    "item_id": (
        *("item_id", "item", "iid", "item_idx", "product_id", "product", "movie_id", "article_id", "click_article_id"),
        *("parent_asin", "asin", "business_id", "artist_id", "track_id", "song_id", "video_id", "book_id", "isbn"),
        *("anime_id", "game_id", "aid", "sku", "sku_id", "stock_code", "venue_id", "location_id", "poi_id"),
        *(
            "hotel_id",
            "recipe_id",
            "news_id",
            "content_id",
            "offer_id",
            "listing_id",
            "goods_id",
            "course_id",
            "job_id",
        ),
        *("place_id", "restaurant_id", "post_id", "page_id", "show_id", "series_id", "episode_id", "podcast_id"),
        *("joke_id", "beer_id", "work_id", "item_code", "item_no", "item_number", "product_code", "product_sku"),
        *NAMES_OF_ITEMS,
    ),
    "timestamp": (
        *("timestamp", "datetime", "event_timestamp", "event_time", "unix_timestamp", "unix_review_time", "time_ms"),
        *("click_timestamp", "transaction_timestamp", "created_at", "event_datetime", "event_ts", "timestamp_ms"),
        *("ts_ms", "unix_time", "epoch", "utc_timestamp", "timestamp_utc", "utc_time", "order_timestamp"),
        *("order_purchase_timestamp", "rating_timestamp", "listened_at", "played_at", "rated_at", "reviewed_at"),
        *("viewed_at", "clicked_at", "purchased_at", "ordered_at", "occurred_at", "collector_tstamp", "derived_tstamp"),
        *("invoice_date", "purchase_date", "order_date", "transaction_date", "transaction_dt", "review_date"),
        *("event_date", "date_added", "action_time", "t_dat", "order_time", "purchase_time", "transaction_time"),
        *("click_time", "review_time", "checkin_time", "check_in_time"),
        *("interaction_timestamp", "interaction_time", "interaction_date", "order_datetime", "purchase_datetime"),
        *("transaction_datetime", "bought_at", "sold_at", "watched_at", "visited_at", "read_at", "occurred_on"),
        *("ordered_on", "purchased_on", "sold_on", "rated_on", "rating_date", "visit_date", "sale_date"),
        *("date", "time", "ts", "when", "at"),
    ),
    "event": (
        *("event", "event_type", "event_name", "behavior", "behavior_type", "action", "action_type"),
        *("interaction_type", "feedback_type", "feedback", "type"),
    ),
}
# Other usual columns of logs: they help to recognise a header.
_BESIDE = {"rating", "score", "price", "quantity", "title", "name", "category", "brand", "weight", "count", "id"}
_LOOKS_LIKE_TIME = re.compile(r"(time|date|day|month|year|when|_at$|_on$|_ts$|_dt$|[a-z](At|On)$)", re.I)


def plain(name: str) -> str:
    """A name without RecBole's type and blanks around it."""
    return name.split(":")[0].strip()


def canonical(name: str) -> str:
    """A name without what makes no difference; of Hive's ``table.column`` the column."""
    return re.sub(r"[^0-9a-z]", "", plain(name).lower().rsplit(".", 1)[-1])


_CANONICAL = {role: tuple(dict.fromkeys(canonical(alias) for alias in names)) for role, names in ALIASES.items()}
_NAMES = {canonical(name) for name in NAMES_OF_ITEMS}
_LISTS = {"items", "itemids", "events", "history", "sequence", "interactions", "products", "tracks", "articles"}
_ALL = {name for names in _CANONICAL.values() for name in names} | _BESIDE


def is_usual(name: str) -> bool:
    """Whether logs usually have a column of this name; a plain word (``movie``) may as well be a value."""
    return canonical(name) in _ALL and not is_name_of_items(name)


def is_name_of_items(name: str) -> bool:
    """Whether a column of this name says what items are called, which may be all that tells them."""
    return canonical(name) in _NAMES


def candidates(role: str, there: Sequence[str]) -> list[str]:
    """The columns that may be a role, best first."""
    by_name: dict[str, str] = {}
    for name in there:
        by_name.setdefault(canonical(name), name)
    return [by_name[alias] for alias in _CANONICAL[role] if alias in by_name]


def roles_in(names: Sequence[str], asked: Sequence[str]) -> set[str]:
    """The roles that names stand for; a name that the caller gives is one as well."""
    wanted = {name for name in asked if name and name != "_"}
    found = {role for role in ("user_id", "item_id", "timestamp") if candidates(role, names)}
    return found | {name for name in names if name in wanted}


def list_columns(there: Sequence[str]) -> list[str]:
    """Columns whose names say that they hold several items or events."""
    return [name for name in there if canonical(name) in _LISTS]


def looks_like_time(name: str) -> bool:
    """Whether a name that is not known sounds like a time."""
    return bool(_LOOKS_LIKE_TIME.search(plain(name)))


def sounds_like_clock(name: str) -> bool:
    """Whether a name sounds like a time of day."""
    return re.search(r"hour|time|clock|minute", canonical(name)) is not None


def choose_columns(
    there: Sequence[str], asked: dict[str, str | None], notes: list[str], inner: Sequence[str] = ()
) -> dict[str, str]:
    """The caller's column for each of ours.

    Args:
        there: The columns of the data.
        asked: The caller's choice for each role, or None for one of the usual names.
        notes: Takes a sentence where there was a choice.
        inner: Fields within columns (``properties.product_id``), for messages.

    Returns:
        Column by role; ``timestamp`` and ``event`` only where they are there.

    Raises:
        DataError: A column is missing.
    """
    named = [name for name in asked.values() if name is not None]
    _refuse_two_roles(named)
    chosen: dict[str, str] = {}
    for role, wanted in asked.items():
        name = _usual_column(role, there, named, notes) if wanted is None and role in ALIASES else wanted
        if name is None:
            if role in ("user_id", "item_id"):
                raise missing_column(role, there, inner)
            continue
        if name not in there:
            raise DataError(f"no column {name!r}: the data has {shown(there)}")
        chosen[role] = name
    _refuse_lists(there, chosen)
    return chosen


def _refuse_two_roles(named: Sequence[str]) -> None:
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"the column {twice!r} is named for two roles: users, items and times are columns of their own")


def _usual_column(role: str, there: Sequence[str], named: Sequence[str], notes: list[str]) -> str | None:
    """The best column of a usual name that the caller does not name for another role; None where there is none."""
    found = [name for name in candidates(role, there) if name not in named]
    if not found:
        return None
    _refuse_same(role, found[0], there)
    _note_choice(role, found, notes)
    return found[0]


def _refuse_same(role: str, found: str, there: Sequence[str]) -> None:
    """Raise DataError for two columns of one name but for capitals and the like: neither is the first by right."""
    same = [name for name in there if canonical(name) == canonical(found)]
    if len(same) > 1 and role != "event":
        option = f"{role.removesuffix('_id')}_column"
        raise DataError(f"{shown(same)} are one name twice: say which is the {role} with {setting(option, 'NAME')}")


def missing_column(role: str, there: Sequence[str], inner: Sequence[str] = ()) -> DataError:
    """The error for a role without a column."""
    option = f"{role.removesuffix('_id')}_column"
    name = next(iter(candidates(role, inner)), "NAME")
    return DataError(f"no {role} column: the data has {shown(there)}; name it with {setting(option, name)}")


def _note_choice(role: str, found: Sequence[str], notes: list[str]) -> None:
    """Say which other columns could have been meant."""
    others = [name for name in found[1:] if not canonical(name).startswith("session")]
    if not is_name_of_items(found[0]):
        others = [name for name in others if not is_name_of_items(name)]
    if role in ("user_id", "item_id") and others:
        option = f"{role.removesuffix('_id')}_column"
        notes.append(f"{role} is read from {found[0]!r}; {shown(others)} could be meant too: {setting(option, 'NAME')}")


def _refuse_lists(there: Sequence[str], chosen: dict[str, str]) -> None:
    """Raise where RecBole's sequence columns accompany an item: rows are training samples then, not events."""
    for name in there:
        if name in chosen.values():
            continue
        if name.endswith("_seq") or canonical(name).endswith(("itemidlist", "itemlist", "itemseq")):
            raise DataError(
                f"the column {name!r} holds the history of each row: this is prepared training data, and its rows "
                f"are no events; use the log it was made from"
            )


def shown(names: Sequence[str]) -> str:
    """Names, for messages."""
    return listed([repr(name) for name in names])
