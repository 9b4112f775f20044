#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Proves the README's promise on a fresh Debian: installs SUITE (bookworm, trixie) with only git and make
# into DIR, clones HEAD there, and runs `make test` and `make demo` in it. Needs root and debootstrap.
# Packages come from the mirror that this machine's apt uses, or from $MIRROR. An existing DIR is used again.
#
# usage: tests/chroot/prove.sh SUITE DIR [GOAL...]
set -eu -o pipefail

[ $# -ge 2 ] || { sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2; exit 2; }
suite=$1 root=$2
shift 2
goals=("$@")
[ $# -gt 0 ] || goals=(test demo)
source=$(cd "$(dirname "$0")/../.." && pwd)

apt_mirror() {
    # shellcheck disable=SC2016 # apt's own placeholders
    apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' |
        awk '$1 !~ /security/ && $2 !~ /-/ { print $1; exit }'
}

install_system() {
    [ ! -e "$root/etc/debian_version" ] || return 0
    debootstrap --variant=minbase --include=git,make "$suite" "$root" "${MIRROR:-$(apt_mirror)}"
}

# Fails where the kernel does not let us; then the host's own view has to do.
mount_kernel() {
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --make-rslave "$root/dev"
}

unmount_kernel() {
    umount -l "$root/dev" "$root/proc" 2>/dev/null || true
}

install_system
cp /etc/resolv.conf /etc/hosts "$root/etc/"
rm -rf "$root/src"
git clone -q --depth 1 "file://$source" "$root/src/teg"
trap unmount_kernel EXIT
mount_kernel
for goal in "${goals[@]}"; do
    echo "== $suite: make $goal"
    start=$SECONDS
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb http_proxy="${http_proxy:-}" \
        chroot "$root" make -C /src/teg "$goal"
    echo "== $suite: make $goal: done in $((SECONDS - start)) s"
done
