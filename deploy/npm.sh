#!/bin/sh
# npm.sh FROM TO: makes TO/node_modules hold exactly what FROM/package-lock.json names. Does nothing if it does already.
set -eu
from=$1
to=$2
stamp=$to/node_modules/.lock-checksum
sum=$(sha256sum "$from/package-lock.json" | cut -d' ' -f1)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; then
	exit 0
fi
echo "fetching the packages of $from"
mkdir -p "$to"
[ "$from" = "$to" ] || cp "$from/package.json" "$from/package-lock.json" "$to/"
(cd "$to" && npm ci --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error >/dev/null)
echo "$sum" >"$stamp"
