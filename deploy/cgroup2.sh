#!/bin/sh
# cgroup2.sh DIR: runs the sandbox suite on a kernel whose only cgroups are those of version 2, in a virtual machine of
# its own, since a machine has one or the other. It needs root's apt to fetch qemu and a Debian kernel; what it makes lies
# below DIR. By default what cgroups are for is tried: memory and its end, processes, files, the processor, freezing, and
# what a killed daemon leaves, two to five minutes emulated. TESTS, a pattern without spaces, chooses other tests of the
# driver native: TESTS='^TestEscapes$' is the whole suite. ACCEL=kvm makes it fast where KVM works; emulation does anywhere.
set -eu
tests=${TESTS:-'^Test(Escapes|.*EarlierLife(Left|In|Without).*)$/^(memory|processes|resources|processor|freeze)$'}
dir=$(mkdir -p "$1" && cd "$1" && pwd)
root=$dir/root

need() { command -v "$1" >/dev/null 2>&1 || { apt-get update -qq; apt-get install -y -qq --no-install-recommends "$2" >/dev/null; }; }
need qemu-system-x86_64 qemu-system-x86
need cpio cpio

if [ ! -e "$dir/vmlinuz" ]; then
	package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
	(cd "$dir" && apt-get download -qq "$package")
	rm -rf "$dir/kernel"
	dpkg-deb -x "$dir/$package"_*.deb "$dir/kernel"
	cp "$dir"/kernel/boot/vmlinuz-* "$dir/vmlinuz"
fi

# A root with what the suite's programs need, and nothing else of this machine.
rm -rf "$root"
mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/new" "$root/etc/ssl/certs" "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib"
for d in bin sbin lib lib64; do
	if [ -L "/$d" ]; then cp -P "/$d" "$root/$d"; else mkdir -p "$root/$d"; fi
done
mkdir -p "$root/usr/lib64"
cp -P /etc/alternatives "$root/etc/" 2>/dev/null || mkdir -p "$root/etc/alternatives"
cp -L /etc/ld.so.cache /etc/localtime "$root/etc/"
echo machine >"$root/etc/hostname"
version=$(python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
cp -a "/usr/lib/$version" "$root/usr/lib/"
rm -rf "$root/usr/lib/$version/test" "$root/usr/lib/$version/idlelib"
find "$root/usr/lib/$version" -name __pycache__ -prune -exec rm -rf {} +
programs="/usr/bin/python3 /usr/bin/$version /usr/bin/sleep /usr/bin/ls /usr/bin/cat /usr/bin/sh /usr/bin/mount /usr/bin/mkdir /usr/bin/cp /usr/bin/env /usr/sbin/switch_root"
for p in $programs; do
	[ -e "$p" ] || p=/${p#/usr/}
	cp -P "$p" "$root/usr/${p#/usr/}" 2>/dev/null || cp "$p" "$root/usr/bin/"
	cp -L "$(readlink -f "$p")" "$root/usr/bin/" 2>/dev/null || true
done
for p in $programs "$root/usr/lib/$version"/lib-dynload/*.so; do
	ldd "$p" 2>/dev/null | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\//) print $i }'
done | sort -u | while read -r lib; do
	to=$(readlink -f "$(dirname "$lib")")
	mkdir -p "$root$to"
	cp -L "$lib" "$root$to/"
done
cp -L /lib64/ld-linux-x86-64.so.2 "$root/usr/lib64/"
(cd "$(dirname "$0")/.." && CGO_ENABLED=0 go test -c -o "$root/native.test" ./invoker/sandbox/native)

cat >"$root/init" <<'INIT'
#!/bin/sh
if [ "${1:-}" != again ]; then
	mount -t tmpfs -o size=80% tmpfs /new
	cp -a /bin /sbin /lib /lib64 /usr /etc /init /native.test /new/
	mkdir -p /new/proc /new/sys /new/dev /new/tmp
	exec switch_root /new /init again
fi
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo '+memory +pids +cpu' >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/fcd
cat /sys/fs/cgroup/cgroup.controllers
export PATH=/usr/bin:/bin HOME=/tmp TMPDIR=/tmp FCD_TEST_PATIENCE=5m
cd /tmp
# Alone in a cgroup, as in a unit with Delegate=.
sh -c 'echo $$ >/sys/fs/cgroup/fcd/cgroup.procs; exec /native.test -test.v -test.timeout 25m -test.run "${FCD_TESTS:-^TestEscapes$}"'
echo "suite: $?"
echo o >/proc/sysrq-trigger
sleep 60
INIT
chmod 755 "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) >"$dir/initramfs"

cpu="-accel tcg,thread=multi -cpu max"
[ "${ACCEL:-tcg}" = kvm ] && cpu="-accel kvm -cpu host"
# shellcheck disable=SC2086 # a list of words is meant
timeout 1800 qemu-system-x86_64 $cpu -m 3G -smp 2 -nographic -no-reboot -nic none -kernel "$dir/vmlinuz" -initrd "$dir/initramfs" \
	-append 'console=ttyS0 quiet panic=-1 sysrq_always_enabled=1 FCD_TESTS='"$tests" </dev/null | tee "$dir/log" | grep --line-buffered -E '^ *(---|suite|panic| +[a-z]+\.go)'
count() { grep -cE "^ *--- $1: (.*/.*/|.*Life)" "$dir/log" || true; }
echo "cgroup v2 alone: $(count PASS) passed, $(count SKIP) skipped, $(count FAIL) failed"
grep -q 'suite: 0' "$dir/log"
