#!/usr/bin/env bash
# curl: HTTP/1.1, an offer of h2c, chunks, a large body that waits for leave, compressed answers.
set -euo pipefail
base=$1 row=$2 many=$3
address="$base/predict/mc?seed=42&passes=100"
json=(--silent --show-error --header 'Content-Type: application/json')

# told NAME: what curl writes after a body.
told() { printf '\\n%s\\t%%{http_code}\\t\\n' "$1"; }

curl "${json[@]}" --data-binary "@$row" --write-out "$(told row)" "$address" \
    --next "${json[@]}" --data-binary "@$row" --write-out "$(told row)" "$address" \
    --next "${json[@]}" --compressed --data-binary "@$row" --write-out "$(told row)" "$address" \
    --next "${json[@]}" --header 'Transfer-Encoding: chunked' --data-binary "@$row" \
    --write-out "$(told row)" "$address" \
    --next "${json[@]}" --header 'Expect: 100-continue' --data-binary "@$many" \
    --write-out "$(told many)" "$address"
curl "${json[@]}" --http2 --data-binary "@$row" --write-out "$(told row)" "$address" \
    --next "${json[@]}" --http2 --data-binary "@$row" --write-out "$(told row)" "$address" \
    --next "${json[@]}" --http2 --header 'Transfer-Encoding: chunked' --data-binary "@$row" \
    --write-out "$(told row)" "$address" \
    --next "${json[@]}" --http2 --header 'Expect: 100-continue' --data-binary "@$many" \
    --write-out "$(told many)" "$address"
curl --silent --http2 --head --output /dev/null --write-out "$(told head)" "$base/health/live"
