#!/usr/bin/env bash
# wget, which says the status on stderr and fails where that is an error.
set -euo pipefail
base=$1 row=$2 many=$3
json=(--quiet --output-document=- --header='Content-Type: application/json')
for file in row row many; do
    printf '%s\t200\t%s\n' "$file" \
        "$(wget "${json[@]}" --post-file="${!file}" "$base/predict/mc?seed=42&passes=100")"
done
wget --quiet --spider "$base/health/live"
printf 'head\t200\t\n'
