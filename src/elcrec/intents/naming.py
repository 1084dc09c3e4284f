"""Names of intents: terms that distinguish the items of their users (class-based TF-IDF)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from elcrec.data.catalogue import Catalogue
from elcrec.data.titles import folded
from elcrec.data.words import all_words
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
# Labels with numbers, unknown abbreviations or unclosed brackets are named only where hardly anything else is.
HARD_TO_READ = 0.25
CONSONANTS = "bcdfghjklmnpqrstvwxz"
UNREADABLE = rf"\d|\b[{CONSONANTS}]{{2,}}\b|\b[{CONSONANTS.upper()}][{CONSONANTS}]+\b"
OPEN_BRACKET = r"\s*[(\[][^)\]]*$"
IN_BRACKETS = r"^(?:\(.*\)|\[.*\])$"
LEAST_LETTERS = 4  # of a text whose capitals are looked at: shorter ones are often acronyms
# A third term must be about as telling as the first.
THIRD_SHARE = 0.5

# Texts that say nothing about an item.
STOP_WORDS = sorted(
    """
    a an and are as at by de der die das du el en et for from in into is it its la le les of off on or our per pour
    the their this to und up von with without your y
    new set pack pk assorted edition all misc miscellaneous other others unknown unused various general none null n/a
    na nan not available default
    how i me my no nor so than that these they those too us was we what when where who why will you
    chapter episode no part season series vol volume ii iii iv vi vii viii ix
    """.split()  # noqa: SIM905
)
UNITS = "oz|fl|floz|lbs?|kg|g|gr|gm|mg|ml|cl|l|lt|ltr|gal|gl|qt|pt|ct|count|pcs?|pk|pack|cm|mm|m|in|inch|ft|yd|sq|x"
NUMBERS = rf"^(?:[\d\s.,:/×*()&#+%-]|\b(?:{UNITS})\b|\d(?:{UNITS})\b)*$"
PIECE = r"[^:;,.!?()\[\]/|]+"
LONE_MARK = r"\s[^\p{L}\p{M}\p{N}\s]+\s"
WORD = r"[\p{L}\p{N}](?:\p{M}[\u200c\u200d]|[\p{L}\p{M}\p{N}'’&-])*"


@dataclass(frozen=True)
class Term:
    """A candidate for a name: how it is shown, and its score within the intent."""

    text: str
    score: float
    attribute: bool = False


def name_intents(
    intent_of_user: pl.DataFrame,
    events: pl.DataFrame,
    catalogue: Catalogue | None,
    n_intents: int,
    typical: pl.DataFrame,
) -> list[str]:
    """A short, distinct name for each intent from the attributes and titles of what its users took.

    Terms are ranked by :func:`class_tf_idf` among those that the intent's users take clearly more often than
    others. Attributes are preferred to phrases of titles; single words of titles are named only where items have
    no attributes. An attribute that is alone is followed by an item. Where there are no terms, items are named:
    those whose titles are ranked likewise, then the most typical ones.
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
    titles = {} if known is None else _titles(known)
    items = _item_labels(taken, typical, titles)
    used = set(intent_of_user["intent"].unique().to_list())
    variants = {
        intent: _variants(terms.get(intent, []), items.get(intent, []), intent, bool(titles))
        for intent in range(n_intents)
        if intent in used
    }
    names = _distinct(variants)
    return [names.get(intent, UNUSED) for intent in range(n_intents)]


def named(given_names: Mapping[int, str], name: str) -> list[int]:
    """The intents that were given a name, ignoring case."""
    return [intent for intent, given in sorted(given_names.items()) if folded(given) == folded(name)]


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
    readable = pl.when(pl.col("text").str.contains(UNREADABLE)).then(HARD_TO_READ).otherwise(1.0)
    ranked = (
        _distinctive(taken, taken.join(links, on="item_id"))
        .join(vocabulary, on="term")
        .with_columns(score=pl.col("score") * pl.col("kind").replace_strict(PREFERENCE) * readable)
        .sort(["score", "key", "kind"], descending=[True, False, False])
        .group_by("intent", maintain_order=True)
        .head(CANDIDATES)
    )
    terms: dict[int, list[Term]] = defaultdict(list)
    for intent, text, score, kind in ranked.select("intent", "text", "score", "kind").iter_rows():
        terms[intent].append(Term(text, score, kind == "attribute"))
    return terms


def _distinctive(taken: pl.DataFrame, uses: pl.DataFrame) -> pl.DataFrame:
    """:func:`class_tf_idf` of the terms that an intent's users take clearly more often than others.

    Args:
        taken: ``intent``, ``item_id``, ``users``.
        uses: ``intent``, ``term``, ``users``: of each use of a term.
    """
    users = pl.col("users").cast(pl.Int64).sum()
    purchases = taken.select(users).item()
    count, total, size = pl.col("count"), pl.col("total"), pl.col("size")
    needed = pl.when(total < GENERAL_SHARE * purchases).then(MIN_RATIO).otherwise(GENERAL_RATIO)
    return (
        class_tf_idf(uses.group_by("intent", "term").agg(count=users))
        .join(taken.group_by("intent").agg(size=users), on="intent")
        .filter(count * (purchases - size) >= needed * (total - count) * size)
    )


def _terms(catalogue: Catalogue) -> pl.DataFrame:
    """``item_id``, ``kind`` (attribute, word or phrase), ``key`` (lower case), ``text`` (as written), distinct."""
    text = pl.col("text")
    labels = catalogue.pairs().select("item_id", text=pl.col("attribute").str.replace_all(r"\s+", " "))
    attributes = labels.filter(text.str.len_chars() <= MAX_TERM)
    telling = _calm(attributes.filter(_telling(text)))
    titles = _calm(catalogue.frame.select("item_id", text="title").drop_nulls())
    if telling.is_empty() and titles.is_empty():
        telling = attributes  # numbers, then: better than nothing
    # A phrase does not go on past a mark: "Star Wars: Episode IV" holds no "Wars Episode".
    pieces = (
        titles.with_columns(text.str.replace_all(LONE_MARK, ".").str.extract_all(PIECE))
        .explode("text")
        .drop_nulls()
        .with_row_index("piece")
    )
    words = pieces.with_columns(text.str.extract_all(WORD)).explode("text").drop_nulls()
    following = pl.when(_telling(text) & _telling(text.shift(-1))).then(text + " " + text.shift(-1)).over("piece")
    kinds = {
        "attribute": telling,
        "word": words.select("item_id", "text").filter(_telling(text) & telling.is_empty()),
        "phrase": words.select("item_id", text=following).drop_nulls(),
    }
    return (
        pl.concat([frame.with_columns(kind=pl.lit(kind)) for kind, frame in kinds.items()])
        .with_columns(key=text.str.to_lowercase())
        .unique(["item_id", "kind", "key"], keep="first", maintain_order=True)
    )


def _telling(text: pl.Expr) -> pl.Expr:
    """Whether a text is more than one letter, a number, an amount, a remark in brackets or a stop word."""
    key = text.str.to_lowercase()
    dull = key.is_in(STOP_WORDS) | key.str.contains(NUMBERS) | key.str.contains(IN_BRACKETS)
    return (text.str.len_chars() > 1) & ~dull


def _calm(texts: pl.DataFrame) -> pl.DataFrame:
    """Texts without an unclosed bracket, composed; in sentence case where most of them are written in capitals."""
    text = pl.col("text").str.normalize("NFC").str.replace(OPEN_BRACKET, "")
    capitals = (text == text.str.to_uppercase()) & (text != text.str.to_lowercase())
    cased = texts.unique("text").filter(text.str.count_matches(r"\p{L}") >= LEAST_LETTERS)
    if (cased.select(capitals.mean()).item() or 0) > 0.5:
        text = text.str.head(1) + text.str.slice(1).str.to_lowercase()
    return texts.with_columns(text=text).filter(pl.col("text") != "")


def _titles(catalogue: Catalogue) -> dict[Any, str]:
    """Titles by item."""
    titles = catalogue.titles()
    ids = pl.DataFrame(
        {"item": range(len(titles)), "text": list(titles.values())}, {"item": pl.Int64, "text": pl.String}
    )
    calm = dict(_calm(ids).iter_rows())
    return {item: calm[number] for number, item in enumerate(titles) if number in calm}


def _item_labels(taken: pl.DataFrame, typical: pl.DataFrame, titles: dict[Any, str]) -> dict[int, list[str]]:
    """Items of each intent: distinctive ones by their titles, then typical ones by title or id, highest lift first."""
    titled = taken.filter(pl.col("item_id").is_in(list(titles))) if titles else taken.clear()
    ranked = _distinctive(taken, titled.rename({"item_id": "term"})).sort(["score", "term"], descending=[True, False])
    labels: dict[int, list[str]] = defaultdict(list)
    best = ranked.group_by("intent", maintain_order=True).head(MAX_TERMS).select("intent", "term")
    by_lift = typical.sort("lift", descending=True, maintain_order=True).select("intent", "item_id")
    for intent, item in [*best.iter_rows(), *by_lift.iter_rows()]:
        label = _shortened(titles.get(item, str(item)), MAX_ITEM)
        if label not in labels[intent]:
            labels[intent].append(label)
    return labels


def _shortened(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1].rstrip(" ,;:-–(") + "…"


def _variants(terms: Sequence[Term], items: Sequence[str], intent: int, titled: bool) -> list[str]:
    """Ever more particular names of an intent: the plain one, with a further term, with an item, with its number."""
    plain = _plain(terms, items, titled)
    number = f"intent {intent}"
    if not plain:
        return [number]
    more = [term.text for term in terms if not _repeats(term.text, plain)]
    more += [item for item in items if item not in plain]
    return [SEPARATOR.join(plain), *(_extended(plain, text) for text in (*more, number))]


def _plain(terms: Sequence[Term], items: Sequence[str], titled: bool) -> list[str]:
    """Terms, or items where there are none; an attribute that is alone is followed by an item that has a title."""
    plain = _fitting(terms) or _fitting([Term(text, 1.0) for text in items])
    alone = len(plain) == 1 and bool(terms) and terms[0].attribute
    return _fitting([terms[0], *(Term(text, 0.0) for text in items)]) if titled and alone else plain


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
    words = all_words(text) or [text]
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
