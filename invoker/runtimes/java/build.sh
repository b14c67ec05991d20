#!/bin/sh
# Compiles the Java bootstrap into a jar, beside this file or at $1. The same compiler gives the same bytes: entries are
# sorted, not compressed, and bear one fixed time. Needs javac 9 or newer and the servlet interfaces (Debian's
# libservlet-api-java); the classes run on Java 8 and later.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
jar=${1:-$here/bootstrap.jar}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/META-INF" "$work/http"
# shellcheck disable=SC2046 # the paths hold no blanks
(cd "$here/src" && javac --release 8 -Xlint:all,-options -Werror -g:source,lines -d "$work" $(find . -name '*.java' | LC_ALL=C sort))
# What puts HTTP requests to handlers is compiled against the servlet interfaces, which the user's package brings, and lies
# out of the way of the bootstrap's own loader.
# shellcheck disable=SC2046
(cd "$here/http" && javac --release 8 -Xlint:all,-options,-deprecation -Werror -g:source,lines -implicit:none \
	-cp "$work:/usr/share/java/servlet-api.jar:$here/../testdata/java-http" -sourcepath "$here/../testdata/java-http" \
	-d "$work/http" $(find . -name '*.java' | LC_ALL=C sort))
# What the bootstrap and old libraries reach into, which Java closes from version 16 on; Java 8 skips the line.
{
	printf 'Manifest-Version: 1.0\nMain-Class: fcd.bootstrap.Main\nAdd-Opens: java.base/java.lang\n'
	for p in java.lang.invoke java.lang.reflect java.io java.math java.net java.nio java.nio.charset java.security java.text \
		java.time java.util java.util.concurrent java.util.concurrent.atomic sun.nio.ch sun.net.www.protocol.http; do
		printf '  java.base/%s\n' "$p"
	done
} >"$work/META-INF/MANIFEST.MF"
(cd "$work" && find META-INF com fcd http -type f | LC_ALL=C sort >.list &&
	jar --create --file "$work/.jar" --no-manifest --no-compress --date=2020-01-01T00:00:00Z @.list)
mv "$work/.jar" "$jar"
chmod 644 "$jar"
