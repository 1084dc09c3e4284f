"""Endpoints of items: search and similar items."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import Parameter

from elcrec.errors import UnknownIdError
from elcrec.serving.api.errors import ERROR_RESPONSES, not_found
from elcrec.serving.api.parameters import HttpRequest, Limit, SearchText, engine_of, id_in_path
from elcrec.serving.api.schemas.model import FoundItem, FoundItems, SimilarItem, SimilarItems

MostSimilar = Annotated[int, Parameter(ge=1, le=1000)]


@get("/items", responses=ERROR_RESPONSES, summary="Find items")
async def find_items(request: HttpRequest, q: SearchText = "", limit: Limit = 10) -> FoundItems:
    """Items whose id or title contains a text."""
    snapshot = engine_of(request).snapshot
    rows = await snapshot.run_in_background(lambda: snapshot.lookup.find_items(q, limit).to_dicts())
    return FoundItems([FoundItem(**row) for row in rows])


@get("/items/{item_id:str}/similar", responses=ERROR_RESPONSES, summary="Similar items")
async def similar_items(request: HttpRequest, item_id: str, k: MostSimilar = 10) -> SimilarItems:
    """Nearest items by the cosine of their vectors."""
    snapshot = engine_of(request).snapshot
    try:
        index = snapshot.topn.items_known([id_in_path(item_id)])
    except UnknownIdError as error:
        raise not_found(error) from error
    [item] = snapshot.lookup.item_ids(index)
    rows = await snapshot.run_in_background(lambda: snapshot.model.similar_items([item], k).to_dicts())
    titles = snapshot.lookup.titles
    near = [SimilarItem(row["item_id"], titles.get(row["item_id"]), row["score"], row["rank"]) for row in rows]
    return SimilarItems(item, titles.get(item), near)
