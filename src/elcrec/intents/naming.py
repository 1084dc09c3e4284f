"""Names of intents: terms that distinguish the items of their users (class-based TF-IDF)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from elcrec.data.catalogue import Catalogue
from elcrec.errors import DataError
from elcrec.intents.intent_table import users_by_item

UNUSED = "unused"
SEPARATOR = " · "
MAX_LENGTH = 60  # characters of a name
MAX_TERM = 40  # characters of an attribute that is still a label, not a description
MAX_ITEM = 28  # characters of an item's title in a name: two and the separator fit
MAX_TERMS = 3
CANDIDATES = 24  # terms an intent that are looked at
# A term is named only where it is this many times as common among the intent's purchases as among all others,
MIN_RATIO = 1.25
# and this many if it makes up a large share of all purchases: "grocery" tells little about anyone.
GENERAL_SHARE = 0.1
GENERAL_RATIO = 1.75
# Which kinds are preferred at like scores: labels are made to be read, and a phrase says more than its words.
PREFERENCE = {"attribute": 4.0, "phrase": 2.0, "word": 1.0}
# A third term must be about as telling as the first.
THIRD_SHARE = 0.5

# Texts that say nothing about an item.
STOP_WORDS = sorted(
    """
    a an and are as at by de der die das du el en et for from in into is it its la le les of off on or our per pour
    the their this to und up von with without your y
    new set pack pk assorted edition all misc miscellaneous other others unknown unused various general none null n/a
    na nan not available default
    """.split()  # noqa: SIM905
)
UNITS = "oz|fl|floz|lbs?|kg|g|gr|gm|mg|ml|cl|l|lt|ltr|gal|gl|qt|pt|ct|count|pcs?|pk|pack|cm|mm|m|in|inch|ft|yd|sq|x"
NUMBERS = rf"^(?:[\d\s.,:/×*()&#+%-]|\b(?:{UNITS})\b|\d(?:{UNITS})\b)*$"
WORD = r"[\p{L}\p{N}][\p{L}\p{N}'’&-]*"


@dataclass(frozen=True)
class Term:
    """A candidate for a name: how it is shown, and its score within the intent."""

    text: str
    score: float


def name_intents(
    intent_of_user: pl.DataFrame,
    events: pl.DataFrame,
    catalogue: Catalogue | None,
    n_intents: int,
    typical: pl.DataFrame,
) -> list[str]:
    """A short, distinct name for each intent from the attributes and titles of what its users took.

    Terms are ranked by :func:`class_tf_idf` among those that the intent's users take clearly more often than
    others; attributes are preferred to words of titles. Where there are none, the most typical items are named.
    Renumbering the intents renumbers the names, and does nothing else to them.

    Args:
        intent_of_user: ``user_id``, ``intent``.
        events: ``user_id``, ``item_id``.
        catalogue: Descriptions of items, if any; ids are compared by their text.
        n_intents: K; intents are 0 to K - 1.
        typical: ``intent``, ``item_id``, ``users``, ``lift``: see
            :func:`elcrec.intents.intent_table.typical_items`.

    Returns:
        K names of at most 60 characters; ``unused`` for intents without users, the only name that can repeat.
    """
    taken = users_by_item(intent_of_user, events)
    known = _described(catalogue, taken["item_id"].unique())
    terms = {} if known is None else _ranked(taken, known)
    items = _item_labels(typical, {} if known is None else known.titles())
    used = set(intent_of_user["intent"].unique().to_list())
    variants = {
        intent: _variants(terms.get(intent, []), items.get(intent, []), intent)
        for intent in range(n_intents)
        if intent in used
    }
    names = _distinct(variants)
    return [names.get(intent, UNUSED) for intent in range(n_intents)]


def class_tf_idf(counts: pl.DataFrame) -> pl.DataFrame:
    """How telling each term is for each class: ``tf_tc log(1 + A / f_t)``.

    The formula is class-based TF-IDF (Grootendorst 2022, arXiv 2203.05794, section 4.3).

    Args:
        counts: ``intent``, ``term``, ``count``: uses of term t in class c, tf_tc.

    Returns:
        ``counts`` with ``total`` (f_t: uses of the term in all classes) and ``score`` (natural logarithm; A is
        the mean number of uses of any term a class).
    """
    mean = counts["count"].sum() / max(1, counts["intent"].n_unique())
    total = pl.col("count").sum().over("term")
    return counts.with_columns(total=total, score=pl.col("count") * (1 + mean / total).log())


def _described(catalogue: Catalogue | None, ids: pl.Series) -> Catalogue | None:
    if catalogue is None:
        return None
    try:
        return catalogue.matched(ids)
    except DataError:
        return None


def _ranked(taken: pl.DataFrame, catalogue: Catalogue) -> dict[int, list[Term]]:
    """Terms by intent, best first."""
    described = _terms(catalogue)
    vocabulary = (
        described.group_by("kind", "key", "text")
        .len("spelled")
        .sort("spelled", "text", descending=[True, False])
        .group_by("kind", "key", maintain_order=True)
        .agg(pl.col("text").first(), items=pl.col("spelled").sum())
        .filter(pl.col("items") > 1)  # a term of one item names the item, not what it has in common with others
        .with_row_index("term")
    )
    links = described.join(vocabulary, on=["kind", "key"]).select("item_id", "term")
    users = pl.col("users").cast(pl.Int64).sum()
    counts = taken.join(links, on="item_id").group_by("intent", "term").agg(count=users)
    purchases = taken.select(users).item()
    count, total, size = pl.col("count"), pl.col("total"), pl.col("size")
    needed = pl.when(total < GENERAL_SHARE * purchases).then(MIN_RATIO).otherwise(GENERAL_RATIO)
    ranked = (
        class_tf_idf(counts)
        .join(taken.group_by("intent").agg(size=users), on="intent")
        .filter(count * (purchases - size) >= needed * (total - count) * size)
        .join(vocabulary, on="term")
        .with_columns(score=pl.col("score") * pl.col("kind").replace_strict(PREFERENCE))
        .sort(["score", "key", "kind"], descending=[True, False, False])
        .group_by("intent", maintain_order=True)
        .head(CANDIDATES)
    )
    terms: dict[int, list[Term]] = defaultdict(list)
    for intent, text, score in ranked.select("intent", "text", "score").iter_rows():
        terms[intent].append(Term(text, score))
    return terms


def _terms(catalogue: Catalogue) -> pl.DataFrame:
    """``item_id``, ``kind`` (attribute, word or phrase), ``key`` (lower case), ``text`` (as written), distinct."""
    text = pl.col("text")
    labels = catalogue.pairs().select("item_id", text=pl.col("attribute").str.replace_all(r"\s+", " "))
    attributes = labels.filter(text.str.len_chars() <= MAX_TERM)
    telling = attributes.filter(_telling(text))
    titles = catalogue.frame.select("item_id", text="title").drop_nulls()
    if telling.is_empty() and titles.is_empty():
        telling = attributes  # numbers, then: better than nothing
    words = titles.with_columns(text.str.extract_all(WORD)).explode("text").drop_nulls()
    following = pl.when(_telling(text) & _telling(text.shift(-1))).then(text + " " + text.shift(-1)).over("item_id")
    kinds = {
        "attribute": telling,
        "word": words.filter(_telling(text)),
        "phrase": words.select("item_id", text=following).drop_nulls(),
    }
    return (
        pl.concat([frame.with_columns(kind=pl.lit(kind)) for kind, frame in kinds.items()])
        .with_columns(key=text.str.to_lowercase())
        .unique(["item_id", "kind", "key"], keep="first", maintain_order=True)
    )


def _telling(text: pl.Expr) -> pl.Expr:
    """Whether a text is more than one letter, a number, an amount or a stop word."""
    key = text.str.to_lowercase()
    return (text.str.len_chars() > 1) & ~key.is_in(STOP_WORDS) & ~key.str.contains(NUMBERS)


def _item_labels(typical: pl.DataFrame, titles: dict[Any, str]) -> dict[int, list[str]]:
    """Titles, or ids, of each intent's typical items, highest lift first."""
    labels: dict[int, list[str]] = defaultdict(list)
    rows = typical.sort("lift", descending=True, maintain_order=True).select("intent", "item_id")
    for intent, item in rows.iter_rows():
        labels[intent].append(_shortened(titles.get(item, str(item)), MAX_ITEM))
    return labels


def _shortened(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip(" ,;:-–(") + "…"


def _variants(terms: Sequence[Term], items: Sequence[str], intent: int) -> list[str]:
    """Ever more particular names of an intent: the plain one, with a further term, with an item, with its number."""
    plain = _fitting(terms) or _fitting([Term(text, 1.0) for text in items])
    number = f"intent {intent}"
    if not plain:
        return [number]
    more = [term.text for term in terms if not _repeats(term.text, plain)]
    more += [item for item in items if item not in plain]
    return [SEPARATOR.join(plain), *(_extended(plain, text) for text in (*more, number))]


def _fitting(terms: Sequence[Term]) -> list[str]:
    """The first two terms that differ and fit into a name together, and a third that is nearly as distinctive."""
    parts: list[str] = []
    for term in terms:
        wanted = len(parts) < 2 or (len(parts) < MAX_TERMS and term.score >= THIRD_SHARE * terms[0].score)
        fits = len(SEPARATOR.join([*parts, term.text])) <= MAX_LENGTH
        if wanted and fits and not _repeats(term.text, parts):
            parts.append(term.text)
    return parts


def _extended(parts: list[str], text: str) -> str:
    """A name with one part more, in place of the last ones if need be."""
    while len(parts) > 1 and len(SEPARATOR.join([*parts, text])) > MAX_LENGTH:
        parts = parts[:-1]
    start = SEPARATOR.join(parts) + SEPARATOR
    return start + _shortened(text, MAX_LENGTH - len(start))


def _repeats(text: str, parts: Iterable[str]) -> bool:
    return any(_alike(text, part) for part in parts)


def _alike(one: str, other: str) -> bool:
    """Whether texts say much the same: up to plurals, one has the other's words or begins where it ends."""
    ours, theirs = _stems(one), _stems(other)
    if set(ours) <= set(theirs) or set(theirs) <= set(ours) or ours[-1] == theirs[0] or theirs[-1] == ours[0]:
        return True
    shorter, longer = sorted((one.lower(), other.lower()), key=len)
    return len(shorter) > 3 and shorter.isalpha() and shorter in longer


def _stems(text: str) -> list[str]:
    words = re.findall(r"\w+", text.lower()) or [text]
    return [re.sub(r"(?<=[^\W\d]{2})(ies|es|s|y|e)$", "", word) for word in words]


def _distinct(variants: dict[int, list[str]]) -> dict[int, str]:
    """The plainest names of which no two say the same; all intents whose names clash take their next name."""
    left = {intent: list(names) for intent, names in variants.items()}
    while movable := [intent for intent in _clashing(left) if len(left[intent]) > 1]:
        for intent in movable:
            del left[intent][0]
    return {intent: names[0] for intent, names in left.items()}


def _clashing(names: dict[int, list[str]]) -> list[int]:
    """The intents whose first name has the same parts as another's, in any order."""
    parts = {intent: frozenset(own[0].lower().split(SEPARATOR)) for intent, own in names.items()}
    uses = Counter(parts.values())
    return [intent for intent, own in parts.items() if uses[own] > 1]
