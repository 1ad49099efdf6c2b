#!/bin/sh
# Boots a Debian with systemd in a container and runs the agent there as its service, sandbox and all. As root, on a
# developer's machine (Debian packages debootstrap and systemd-container):
#
#   packaging/test-service.sh ARCHIVE [--suite bookworm] [--base FOLDER]
#
# ARCHIVE is what packaging/release.sh made for this machine's architecture. --base takes an existing debootstrap
# result with systemd, systemd-sysv and dbus instead of making one; it is copied.
set -eu

die() { printf 'test-service: %s\n' "$1" >&2; exit 1; }

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
[ "$(id -u)" -eq 0 ] || die "needs root, for the container"
command -v systemd-nspawn >/dev/null || die "needs the Debian package systemd-container"

place=$(mktemp -d)
debian="$place/debian"
trap 'umount "$debian/proc" 2>/dev/null || true; rm -rf --one-file-system "$place"' EXIT

if [ -n "$base" ]; then
  cp -a "$base" "$debian"
else
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus "$suite" "$debian" >"$place/log" 2>&1 ||
    die "debootstrap failed: $(tail -n 1 "$place/log")"
fi
cp "$archive" "$debian/media/kilowitness.tar.gz"
cp "$(dirname "$0")/install.sh" "$debian/media/install.sh"

# Runs inside, after boot; every line of /result is 'ok WHAT' or 'FAIL WHAT'.
cat >"$debian/media/inside.sh" <<'INSIDE_END'
#!/bin/sh
unit=kilowitness-agent
check() { if sh -c "$2" >>/checks.log 2>&1; then echo "ok    $1"; else echo "FAIL  $1"; fi; }
property() { systemctl show --property="$1" --value $unit; }
settled() { for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do [ "$(property ActiveState)" = "$1" ] && return 0; sleep 1; done; return 1; }

check "installs" "/media/install.sh --tarball /media/kilowitness.tar.gz"
systemctl start $unit
check "an unedited configuration stops the service at once" "sleep 3; systemctl is-failed $unit && [ $(property NRestarts) = 0 ]"
check "and the reason is in the journal" "journalctl --unit=$unit | grep -q 'agent.yaml.*devices'"
cat >/etc/kilowitness/agent.yaml <<'CONFIG_END'
network: home
key: /var/lib/kilowitness/device.key
journal: /var/lib/kilowitness/journal.sqlite
devices:
  - id: grid
    driver: dsmr-p1
    line: tcp://127.0.0.1:9
CONFIG_END
systemctl reset-failed $unit
systemctl enable --quiet --now $unit
settled active
sleep 4
check "the agent runs" "systemctl is-active $unit && journalctl --unit=$unit | grep -q agent-started"
check "it runs as kilowitness" "[ \"\$(stat -c %U /proc/$(property MainPID))\" = kilowitness ]"
check "the key is its own, 0600" "[ \"\$(stat -c '%a %U' /var/lib/kilowitness/device.key)\" = '600 kilowitness' ]"
check "an unreachable meter is only reported" "journalctl --unit=$unit | grep -q device-offline"
cp /var/lib/kilowitness/device.key /key.before
first=$(property MainPID)
systemctl kill --signal=KILL $unit
sleep 8
settled active
check "comes back after kill -9" "systemctl is-active $unit && [ $first != $(property MainPID) ]"
check "with the same key" "cmp /key.before /var/lib/kilowitness/device.key"
sleep 3
before=$(property MainPID)
check "an upgrade restarts it" "/media/install.sh --tarball /media/kilowitness.tar.gz | grep 'runs the new version' && [ $before != \"\$(systemctl show --property=MainPID --value $unit)\" ]"
sleep 3
systemctl stop $unit
check "stops by itself on SIGTERM" "[ $(property Result) = success ] && journalctl --unit=$unit | grep -q agent-stopped"
check "uninstalls" "/media/install.sh --uninstall && [ ! -e /etc/systemd/system/multi-user.target.wants/$unit.service ]"
check "no unit is left" "! systemctl cat $unit"
journalctl --no-pager --output=cat --unit=$unit >/unit.log
INSIDE_END
chmod +x "$debian/media/inside.sh"
cat >"$debian/etc/systemd/system/inside.service" <<'UNIT_END'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
TimeoutStartSec=150
ExecStart=/bin/sh -c '/media/inside.sh >/result 2>&1; echo end >>/result'
ExecStopPost=/bin/systemctl poweroff
[Install]
WantedBy=multi-user.target
UNIT_END
ln -sf ../inside.service "$debian/etc/systemd/system/multi-user.target.wants/inside.service"

timeout 240 systemd-nspawn --quiet --directory="$debian" --boot --register=no --keep-unit </dev/null >"$place/boot.log" 2>&1 ||
  die "the container did not boot and stop: $(tail -n 3 "$place/boot.log")"
cat "$debian/result"
if grep -q '^FAIL' "$debian/result" || ! grep -q '^end$' "$debian/result"; then
  cat "$debian/checks.log" "$debian/unit.log" 2>/dev/null | tail -n 60
  exit 1
fi
