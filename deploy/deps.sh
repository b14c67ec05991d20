#!/bin/sh
# Installs the Debian packages that the demo or the tests need and this machine lacks. Says what it does; does nothing
# where nothing is missing.
set -eu

want=""
need() { # need PACKAGE COMMAND...: any of the commands will do
	package=$1
	shift
	for c in "$@"; do
		if command -v "$c" >/dev/null 2>&1 || [ -e "$c" ]; then
			return 0
		fi
	done
	want="$want $package"
}

need ca-certificates /usr/sbin/update-ca-certificates
need python3 /usr/bin/python3
need nodejs /usr/bin/node /usr/local/bin/node
need npm npm
if [ "${1:-demo}" = test ]; then
	need gcc gcc
	need libc6-dev /usr/include/stdio.h
	need util-linux setpriv
	need runc runc
	need passt pasta
	need mount losetup /usr/sbin/losetup
	need e2fsprogs mkfs.ext4 /usr/sbin/mkfs.ext4
	need openjdk-17-jdk-headless javac
	need libjackson2-databind-java /usr/share/java/jackson-databind.jar
	need libservlet-api-java /usr/share/java/servlet-api.jar
fi
[ -n "$want" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "missing packages; as root run: apt-get install -y --no-install-recommends$want" >&2
	exit 1
fi
echo "installing$want"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words is meant
apt-get install -y -qq --no-install-recommends $want >/dev/null
