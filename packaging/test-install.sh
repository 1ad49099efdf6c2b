#!/bin/sh
# Tests install.sh in a fresh Debian, as root, on a developer's machine (Debian package debootstrap):
#
#   packaging/test-install.sh ARCHIVE [--suite bookworm] [--base FOLDER]
#
# ARCHIVE is what packaging/release.sh made. One for another architecture also needs qemu-user-static registered
# with the kernel (binfmt). --base takes an existing debootstrap result instead of making one; it is copied.
# systemd does not run in a chroot: the units are verified where systemd-analyze is installed, and not started.
set -eu

die() { printf 'test-install: %s\n' "$1" >&2; exit 1; }

archive='' suite=bookworm base=''
while [ $# -gt 0 ]; do
  case $1 in
    --suite) suite=$2 && shift ;;
    --base) base=$2 && shift ;;
    *) archive=$1 ;;
  esac
  shift
done
[ -f "$archive" ] || die "name the archive that packaging/release.sh made"
[ "$(id -u)" -eq 0 ] || die "needs root, for the chroot"
arch=${archive##*-linux-} arch=${arch%.tar.gz}

place=$(mktemp -d)
debian="$place/debian"
clean() {
  umount "$debian/proc" 2>/dev/null || true
  rm -rf --one-file-system "$place"
}
trap clean EXIT

if [ -n "$base" ]; then
  cp -a "$base" "$debian"
else
  debootstrap --variant=minbase --arch="$arch" "$suite" "$debian" >"$place/debootstrap.log" 2>&1 ||
    die "debootstrap failed: $(tail -n 1 "$place/debootstrap.log")"
fi
mount -t proc proc "$debian/proc"
mkdir -p "$debian/media/stick"
tar -xzf "$archive" -C "$debian/media/stick" --strip-components=1
cp "$archive" "$debian/media/kilowitness.tar.gz"

inside() { chroot "$debian" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh -c "$1"; }

failures=0 checks=0
# check WHAT COMMAND: the command, run in the new Debian, must succeed.
check() {
  checks=$((checks + 1))
  if inside "$2" >"$place/out" 2>&1; then
    printf 'ok    %s\n' "$1"
  else
    failures=$((failures + 1))
    printf 'FAIL  %s\n' "$1" && sed 's/^/      /' "$place/out"
  fi
}
# says WHAT TEXT COMMAND: the command must fail, and say TEXT.
refuses() { check "$1" "if $3 >/tmp/said 2>&1; then exit 1; fi; cat /tmp/said; grep -q '$2' /tmp/said"; }
# mode WHAT 'MODE OWNER:GROUP' PATH
mode() { check "$1" "stat -c '%a %U:%G' $3; [ \"\$(stat -c '%a %U:%G' $3)\" = '$2' ]"; }

install=/media/stick/install.sh
modules=/opt/kilowitness/app/node_modules

refuses "refuses another user than root" "needs root" "setpriv --reuid=65534 --clear-groups $install"
refuses "refuses an unknown option" "unknown option" "$install --colour"
refuses "refuses --purge alone" "goes with --uninstall" "$install --purge"
refuses "refuses a missing archive" "there is no file" "$install --tarball /none"
inside "head -c 100000 /media/kilowitness.tar.gz >/tmp/short.tar.gz"
refuses "refuses a truncated archive" "damaged" "$install --tarball /tmp/short.tar.gz"
inside "cp -R /media/stick /tmp/other && echo riscv64 >/tmp/other/ARCH"
refuses "refuses another machine's release" "the machine is $arch" "/tmp/other/install.sh"
check "refusals leave nothing behind" "[ ! -e /opt/kilowitness/app ] && [ ! -e /etc/kilowitness ]"

check "installs from the unpacked release" "$install >/tmp/said && grep -q 'systemctl enable --now' /tmp/said"
check "says that systemd is not running" "grep -q 'systemd is not running here' /tmp/said"
check "the user exists, in group dialout" "id -nG kilowitness | grep -qw dialout"
check "the user cannot log in" "getent passwd kilowitness | grep -q '/usr/sbin/nologin$'"
mode "programs belong to root" "755 root:root" /opt/kilowitness/app
mode "runtime" "755 root:root" /opt/kilowitness/node/bin/node
mode "state" "700 kilowitness:kilowitness" /var/lib/kilowitness
mode "configuration folder" "750 root:kilowitness" /etc/kilowitness
mode "configuration" "640 root:kilowitness" /etc/kilowitness/agent.yaml
mode "unit" "644 root:root" /etc/systemd/system/kilowitness-agent.service
mode "command" "755 root:root" /usr/local/bin/kilowitness
check "nothing is writable by others" "[ -z \"\$(find /opt/kilowitness -perm /022 ! -type l)\" ]"
check "kilowitness --help" "kilowitness --help >/tmp/help && grep -q '^Usage: kilowitness' /tmp/help"
check "the service's user can start it" "setpriv --reuid=kilowitness --regid=kilowitness --init-groups kilowitness --help"
check "another user can start it" "setpriv --reuid=65534 --clear-groups kilowitness --help"
inside "echo 'console.log(process.getuid())' >/tmp/uid.cjs && sed 's|/opt/kilowitness/app/bin/kilowitness.js|/tmp/uid.cjs|' /usr/local/bin/kilowitness >/tmp/as"
check "root becomes the service's user" "[ \"\$(sh /tmp/as)\" = \"\$(id -u kilowitness)\" ]"
check "better-sqlite3 loads" "/opt/kilowitness/node/bin/node -e 'new (require(\"$modules/better-sqlite3\"))(\":memory:\").exec(\"select 1\")'"
check "serialport loads" "/opt/kilowitness/node/bin/node -e 'require(\"$modules/serialport\").SerialPort.binding.open'"
check "onoff loads where it was built" "[ ! -d $modules/onoff ] || /opt/kilowitness/node/bin/node -e 'require(\"$modules/onoff\").Gpio.accessible'"

inside "echo '# mine' >>/etc/kilowitness/agent.yaml && echo key >/var/lib/kilowitness/key && touch /opt/kilowitness/app/old-file"
check "upgrades from the archive" "$install --tarball /media/kilowitness.tar.gz >/tmp/said && grep -q 'Replacing version' /tmp/said"
check "the upgrade kept the configuration" "grep -q '# mine' /etc/kilowitness/agent.yaml"
check "the upgrade kept the key" "[ \"\$(cat /var/lib/kilowitness/key)\" = key ]"
check "the upgrade replaced the programs" "[ ! -e /opt/kilowitness/app/old-file ] && [ ! -e /opt/kilowitness/old ] && [ ! -e /opt/kilowitness/new ]"
inside "cp -R /media/stick /tmp/broken && echo 'process.exit(1)' >/tmp/broken/app/bin/kilowitness.js"
refuses "refuses a version that does not start" "was not touched" "/tmp/broken/install.sh"
check "the old version still runs" "kilowitness --help"

check "uninstalls" "$install --uninstall"
check "programs, units and command are gone" "[ ! -e /opt/kilowitness ] && [ ! -e /usr/local/bin/kilowitness ] && ! ls /etc/systemd/system/kilowitness*"
check "key and configuration are kept" "[ -f /var/lib/kilowitness/key ] && [ -f /etc/kilowitness/agent.yaml ]"
check "uninstalling twice is no error" "$install --uninstall"
check "installs again over what was kept" "$install && grep -q '# mine' /etc/kilowitness/agent.yaml"
check "purges" "$install --uninstall --purge"
check "nothing is left" "[ ! -e /var/lib/kilowitness ] && [ ! -e /etc/kilowitness ] && ! id kilowitness"

if command -v systemd-analyze >/dev/null; then
  for unit in "$debian"/media/stick/*.service; do
    # The programs are not on this machine; everything else of the unit is verified.
    sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' "$unit" >"$place/$(basename "$unit")"
    checks=$((checks + 1))
    if systemd-analyze verify --man=no "$place/$(basename "$unit")" >"$place/out" 2>&1 && [ ! -s "$place/out" ]; then
      printf 'ok    %s is a sound unit\n' "$(basename "$unit")"
    else
      failures=$((failures + 1))
      printf 'FAIL  %s\n' "$(basename "$unit")" && sed 's/^/      /' "$place/out"
    fi
  done
fi

printf '%s checks on %s, %s failed\n' "$checks" "$arch" "$failures"
[ "$failures" -eq 0 ]
