#!/bin/sh
# Installs Kilowitness on a gateway with Debian or Raspberry Pi OS (arm64 or amd64), from an unpacked release or
# from its archive. Nothing is downloaded. Run it again to upgrade: configuration, key and journal stay.
#
#   ./install.sh                                       from the unpacked release beside this script
#   ./install.sh --tarball kilowitness-VERSION.tar.gz  from the archive
#   ./install.sh --uninstall                           removes the programs, keeps configuration, key and journal
#   ./install.sh --uninstall --purge                   removes everything, the device's key included
set -eu
umask 022

HOME_DIR=/opt/kilowitness
CONFIG_DIR=/etc/kilowitness
STATE_DIR=/var/lib/kilowitness
NODE_STATE_DIR=/var/lib/kilowitness-node
UNIT_DIR=/etc/systemd/system
COMMAND=/usr/local/bin/kilowitness
SERVICE_USER=kilowitness
UNITS='kilowitness-agent.service kilowitness-node.service'

say() { printf '%s\n' "$1"; }
die() { printf 'Cannot go on: %s\n' "$1" >&2; exit 1; }
usage() { sed -n '2,9s/^# \{0,1\}//p' "$0"; }

tarball='' action=install purge=no
while [ $# -gt 0 ]; do
  case $1 in
    --tarball)
      [ $# -ge 2 ] || die "--tarball needs a file name"
      tarball=$2
      shift
      ;;
    --uninstall) action=uninstall ;;
    --purge) purge=yes ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && die "unknown option '$1'" ;;
  esac
  shift
done
[ "$purge" = no ] || [ "$action" = uninstall ] || die "--purge goes with --uninstall"
[ "$(id -u)" -eq 0 ] || die "this needs root; run: sudo $0"

unpacked=''
staging="$HOME_DIR/new"
trap 'rm -rf "$staging"; [ -z "$unpacked" ] || rm -rf "$unpacked"' EXIT

systemd_runs() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }

uninstall() {
  for unit in $UNITS; do
    if systemd_runs && [ -e "$UNIT_DIR/$unit" ]; then systemctl disable --quiet --now "$unit" || true; fi
    rm -rf "${UNIT_DIR:?}/$unit" "${UNIT_DIR:?}/$unit.d" "$UNIT_DIR/multi-user.target.wants/$unit"
  done
  if systemd_runs; then systemctl daemon-reload; fi
  rm -rf "$HOME_DIR" "$COMMAND"
  say "The programs are removed."
  if [ "$purge" = no ]; then
    say "Kept: configuration in $CONFIG_DIR, key and journal in $STATE_DIR."
    say "Remove them too with: $0 --uninstall --purge   (the device's identity is lost for good)"
    return
  fi
  rm -rf "$CONFIG_DIR" "$STATE_DIR" "$NODE_STATE_DIR"
  if id "$SERVICE_USER" >/dev/null 2>&1; then userdel "$SERVICE_USER"; fi
  say "Configuration, key, journal and the user $SERVICE_USER are removed."
}

# The folder with the release: the archive's content, or what lies beside this script.
find_release() {
  if [ -z "$tarball" ]; then
    release=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
    [ -f "$release/ARCH" ] || die "no release beside this script; name one: $0 --tarball kilowitness-VERSION-linux-ARCH.tar.gz"
    return
  fi
  [ -f "$tarball" ] || die "there is no file $tarball"
  unpacked=$(mktemp -d)
  tar -xzf "$tarball" -C "$unpacked" || die "$tarball is damaged or not a release; copy it again"
  release=$(find "$unpacked" -mindepth 2 -maxdepth 2 -name ARCH -exec dirname {} \;)
  [ -n "$release" ] || die "$tarball is not a Kilowitness release for a gateway"
}

check_machine() {
  [ -f /etc/debian_version ] || die "this is not Debian or Raspberry Pi OS"
  machine=$(dpkg --print-architecture)
  wanted=$(cat "$release/ARCH")
  [ "$machine" = "$wanted" ] || die "this release is for $wanted, the machine is $machine; take the archive for $machine"
  "$release/node/bin/node" --version >/dev/null 2>&1 ||
    die "the Node.js of this release does not start here; it needs Debian 11 (bullseye) or newer, 64 bit"
}

make_user() {
  if ! id "$SERVICE_USER" >/dev/null 2>&1; then
    useradd --system --user-group --no-create-home --home-dir "$STATE_DIR" --shell /usr/sbin/nologin "$SERVICE_USER"
  fi
  # Serial ports, pins, and its own lines in the journal for a support bundle.
  for group in dialout gpio systemd-journal; do
    if getent group "$group" >/dev/null; then usermod --append --groups "$group" "$SERVICE_USER"; fi
  done
}

# The new programs must start before they take the place of the old ones.
place_programs() {
  rm -rf "$staging"
  mkdir -p "$staging"
  cp -R "$release/node" "$release/app" "$release/VERSION" "$staging/"
  chown -R root:root "$staging"
  "$staging/node/bin/node" "$staging/app/bin/kilowitness.js" --help >/dev/null ||
    die "the new version does not start; the installed one was not touched"
  if [ -f "$HOME_DIR/VERSION" ]; then say "Replacing version $(cat "$HOME_DIR/VERSION")."; fi
  sync # the new files are on the card before the old ones go
  rm -rf "${HOME_DIR:?}/old"
  mkdir "$HOME_DIR/old"
  for part in node app VERSION; do
    if [ -e "$HOME_DIR/$part" ]; then mv "$HOME_DIR/$part" "$HOME_DIR/old/$part"; fi
    mv "$staging/$part" "$HOME_DIR/$part"
  done
  rm -rf "${HOME_DIR:?}/old"
  cat >"$COMMAND.new" <<COMMAND_END
#!/bin/sh
# As root, go on as the service's user: what it cannot open, the service cannot open either, and nothing in its
# state folder ends up as root's.
set -- $HOME_DIR/node/bin/node $HOME_DIR/app/bin/kilowitness.js "\$@"
[ "\$(id -u)" -ne 0 ] || set -- setpriv --reuid=$SERVICE_USER --regid=$SERVICE_USER --init-groups "\$@"
exec "\$@"
COMMAND_END
  chmod 0755 "$COMMAND.new"
  mv "$COMMAND.new" "$COMMAND"
}

# Never over a file that is there.
place_config() {
  if [ -e "$CONFIG_DIR/$1" ]; then return; fi
  install -m 0640 -o root -g "$SERVICE_USER" "$release/$1" "$CONFIG_DIR/$1"
}

place_files() {
  install -d -m 0700 -o "$SERVICE_USER" -g "$SERVICE_USER" "$STATE_DIR" "$NODE_STATE_DIR"
  install -d -m 0750 -o root -g "$SERVICE_USER" "$CONFIG_DIR"
  place_config agent.yaml
  place_config node.yaml
  install -d "$UNIT_DIR"
  for unit in $UNITS; do
    install -m 0644 "$release/$unit" "$UNIT_DIR/$unit"
    place_backoff "$unit"
  done
}

# Growing pauses between starts exist from systemd 254 on; older ones take the fixed pause of the unit.
place_backoff() {
  known=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
  if [ "${known:-0}" -lt 254 ]; then return; fi
  install -d "$UNIT_DIR/$1.d"
  printf '[Service]\nRestartSteps=6\nRestartMaxDelaySec=120\n' >"$UNIT_DIR/$1.d/backoff.conf"
  chmod 0644 "$UNIT_DIR/$1.d/backoff.conf"
}

restart_running() {
  if ! systemd_runs; then
    say "systemd is not running here; the services are installed and can be started after the next boot."
    return
  fi
  systemctl daemon-reload
  for unit in $UNITS; do
    if systemctl is-active --quiet "$unit"; then
      systemctl restart "$unit"
      say "$unit runs the new version."
    fi
  done
}

finish() {
  say ""
  say "Kilowitness $(cat "$HOME_DIR/VERSION") is installed. Next:"
  say "  1. Name this site's meters:             sudo nano $CONFIG_DIR/agent.yaml"
  say "  2. See whether every meter answers:     sudo kilowitness probe --config $CONFIG_DIR/agent.yaml"
  say "  3. Start, now and at every boot:        sudo systemctl enable --now kilowitness-agent"
}

if [ "$action" = uninstall ]; then
  uninstall
  exit 0
fi
find_release
check_machine
make_user
place_programs
place_files
restart_running
finish
