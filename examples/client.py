"""A client of ``elcrec serve``, with nothing but Python's own library.

python examples/client.py http://127.0.0.1:8000 --user 42 --took milk bread
"""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any


class Refused(Exception):
    """The server refused a request; the message says why."""


class Client:
    """A client of a server; its API key is read from the environment variable ELCREC_KEY."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.key = key or os.environ.get("ELCREC_KEY")

    def ask(self, method: str, path: str, document: Any = None) -> Any:
        """The answer to a request."""
        headers = {"content-type": "application/json"}
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(json.load(error)["error"]) from error

    def recommend(self, user: str, k: int = 10, **options: Any) -> Any:
        """Top-k recommendations; /openapi/openapi.json names the options."""
        return self.ask("POST", "/v1/recommend", {"user_id": user, "k": k, **options})

    def took(self, user: str, item: str, event_id: str) -> Any:
        """The same event id may be sent again (after a timeout, say): it is kept once."""
        event = {"event_id": event_id, "user_id": user, "item_id": item}
        return self.ask("POST", "/v1/events", {"events": [event]})

    def intents(self, user: str) -> Any:
        """A user's current intents, strongest first, and their development."""
        return self.ask("GET", f"/v1/users/{urllib.parse.quote(user, safe='')}/intents")


def main() -> None:
    """Send events of a user, then print the recommendations and the intents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--user", required=True)
    parser.add_argument("--took", nargs="*", default=[], help="Items the user took just now.")
    parser.add_argument("-k", type=int, default=5)
    asked = parser.parse_args()
    client = Client(asked.url)
    try:
        for item in asked.took:
            client.took(asked.user, item, uuid.uuid4().hex)
        answer = client.recommend(asked.user, asked.k, explain=True)
    except Refused as refusal:
        raise SystemExit(f"refused: {refusal}") from refusal
    if answer["fallback"] is None:
        for one in client.intents(asked.user)["intents"][:3]:
            print(f"wants  {one['weight']:4.0%}  {one['name']}")
    else:
        print(f"nothing is known of {asked.user}: {answer['fallback']} items")
    for one in answer["items"]:
        because = ", ".join(map(str, (one.get("reason") or {}).get("because", [])))
        print(
            f"{one['rank']:>5}  {one.get('title') or one['item_id']}" + (f"  (because of {because})" if because else "")
        )


if __name__ == "__main__":
    main()
