#!/bin/sh
# A nightly job: train on the events that the server received, and switch to the new run unless it is worse.
#
#     ln -sfn shop runs/live                       # once: the server and this job use the link
#     examples/nightly.sh runs/live
#
# Afterwards tell the server to reload (SIGHUP, or POST /v1/reload). After a failure the link is as it was.
set -eu

live=${1:?"usage: nightly.sh LINK-TO-A-RUN"}
[ -L "$live" ] || { echo "$live is no link: ln -sfn NAME-OF-A-RUN $live" >&2; exit 2; }
next=$(dirname "$live")/$(date -u +%Y-%m-%dT%H%M%S)
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT

elcrec events "$live" --out "$new/events.parquet"
elcrec train "$new/events.parquet" --from "$live" --out "$next"

# Both runs predict the last event of each user in the new log.
metric() { python3 -c 'import json, sys; print(json.load(sys.stdin)["ndcg@20"])'; }
before=$(elcrec evaluate "$live" --data "$next/interactions.parquet" --json | metric)
after=$(elcrec evaluate "$next" --data "$next/interactions.parquet" --json | metric)
echo "ndcg@20: $before before, $after after"

if python3 -c "import sys; sys.exit($after < 0.95 * $before)"; then
    ln -sfn "$(basename "$next")" "$live"
    echo "$live is now $next"
else
    echo "$next is worse: $live stays as it is" >&2
    exit 1
fi
