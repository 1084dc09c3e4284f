#!/usr/bin/env bash
# The same with curl: examples/client.sh http://127.0.0.1:8000 USER ITEM
set -euo pipefail
url="${1:?URL}" user="${2:?USER}" item="${3:?ITEM}"
ask() { curl --fail-with-body --silent --show-error -H 'content-type: application/json' \
  ${ELCREC_KEY:+-H "authorization: Bearer $ELCREC_KEY"} "$@"; echo; }

ask "$url/v1/events" -d "{\"events\": [{\"event_id\": \"$user-$item\", \"user_id\": \"$user\", \"item_id\": \"$item\"}]}"
ask "$url/v1/recommend" -d "{\"user_id\": \"$user\", \"k\": 5}"
ask "$url/v1/recommend" -d "{\"history\": [\"$item\"], \"k\": 3, \"explain\": true}"
ask "$url/v1/items?q=$item&limit=3"
ask "$url/v1/intents?items=2"
