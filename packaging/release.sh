#!/bin/sh
# Makes one self-contained archive for a gateway: runtime, compiled code and production packages, so that the
# gateway needs neither npm nor a compiler nor the internet.
#
#   packaging/release.sh [--arch arm64|amd64] [--out FOLDER]   kilowitness-VERSION-linux-ARCH.tar.gz and its SHA-256
#   packaging/release.sh [--arch arm64|amd64] --stage FOLDER   the same content, unpacked (for a container image)
#
# Run after 'npm ci'. Another architecture than this machine's needs only its cross compiler for the optional GPIO
# addon (Debian: g++-aarch64-linux-gnu, g++-x86-64-linux-gnu); without it the archive is made without that addon.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

say() { printf 'release: %s\n' "$1"; }
die() { printf 'release: %s\n' "$1" >&2; exit 1; }

arch='' out="$root/release" stage=''
while [ $# -gt 0 ]; do
  case $1 in
    --arch) arch=${2:?--arch needs arm64 or amd64} && shift ;;
    --out) out=${2:?--out needs a folder} && shift ;;
    --stage) stage=${2:?--stage needs a folder} && shift ;;
    *) die "unknown option $1; see the head of this file" ;;
  esac
  shift
done

machine_cpu() {
  case $(uname -m) in
    x86_64) echo x64 ;;
    aarch64) echo arm64 ;;
    *) uname -m ;;
  esac
}

case ${arch:-$(machine_cpu)} in
  arm64 | aarch64) arch=arm64 cpu=arm64 triplet=aarch64-linux-gnu ;;
  amd64 | x64 | x86_64) arch=amd64 cpu=x64 triplet=x86_64-linux-gnu ;;
  *) die "no release for ${arch:-$(uname -m)}; expected arm64 or amd64" ;;
esac

cd "$root"
[ -d node_modules/typescript ] || die "packages are not installed; run 'npm ci' first"

# Reads one value of package.json: field VERSION PATH...
field() { node -p 'process.argv.slice(1).reduce((value, key) => value[key], require("./package.json"))' "$@"; }
version=$(field version)
runtime_version=$(field devDependencies node)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
name="kilowitness-$version-linux-$arch"
release="$work/$name"
mkdir -p "$release/node/bin" "$release/app"

say "compiling kilowitness $version"
npm run --silent build

say "production packages for linux $cpu"
cp -R package.json package-lock.json bin dist "$release/app/"
rm -f "$release"/app/bin/*.ts
for folder in docs examples; do
  [ ! -d "$folder" ] || cp -R "$folder" "$release/app/"
done
(cd "$release/app" && npm ci --silent --omit=dev --os=linux --cpu="$cpu" --libc=glibc --ignore-scripts --no-audit --no-fund)

say "Node.js $runtime_version for linux $cpu"
(cd "$work" && npm pack --silent "node-linux-$cpu@$runtime_version" >/dev/null && mkdir runtime &&
  tar -xzf "node-linux-$cpu-$runtime_version.tgz" -C runtime --strip-components=1)
cp "$work/runtime/bin/node" "$release/node/bin/node"
cp "$work/runtime/LICENSE" "$release/node/LICENSE"
chmod 0755 "$release/node/bin/node"

# What a gateway never uses: addons of other machines, and sources of those that come compiled.
modules="$release/app/node_modules"
find "$modules/better-sqlite3/prebuilds" -type f ! -name "linux-$cpu.node" -delete
rm -rf "$modules/better-sqlite3/deps" "$modules/better-sqlite3/src"
find "$modules/@serialport/bindings-cpp/prebuilds" -mindepth 1 -maxdepth 1 ! -name "linux-$cpu" -exec rm -rf {} +
[ -s "$modules/better-sqlite3/prebuilds/linux-$cpu.node" ] || die "better-sqlite3 brings no addon for linux $cpu"
[ -d "$modules/@serialport/bindings-cpp/prebuilds/linux-$cpu" ] || die "serialport brings no addon for linux $cpu"

# The optional GPIO addon is compiled here, against the headers beside the runtime that ships.
build_gpio() {
  if [ "$cpu" = "$(machine_cpu)" ]; then cc=gcc cxx=g++; else cc=$triplet-gcc cxx=$triplet-g++; fi
  command -v "$cxx" >/dev/null || return 1
  gyp="$(npm root --global)/npm/node_modules/node-gyp/bin/node-gyp.js"
  (cd "$modules/epoll" && unset npm_config_nodedir &&
    CC=$cc CXX=$cxx "$root/node_modules/node/bin/node" "$gyp" rebuild --nodedir="$work/runtime" --arch="$cpu") >"$work/gyp.log" 2>&1
}

if build_gpio; then
  find "$modules/epoll/build" -type f ! -path '*/build/Release/epoll.node' -delete
  find "$modules/epoll/build" -type d -empty -delete
  say "with onoff (GPIO through sysfs)"
else
  rm -rf "$modules/onoff" "$modules/epoll" "$modules/nan"
  say "without onoff: no compiler for $arch here (optional: GPIO through the character device works without it)"
fi

for file in install.sh kilowitness-agent.service kilowitness-node.service agent.yaml node.yaml; do
  cp "packaging/$file" "$release/"
done
printf '%s\n' "$arch" >"$release/ARCH"
printf '%s\n' "$version" >"$release/VERSION"
chmod -R u=rwX,go=rX "$release"

if [ -n "$stage" ]; then
  mkdir -p "$stage"
  cp -R "$release/." "$stage/"
  say "unpacked in $stage"
  exit 0
fi

mkdir -p "$out"
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" -C "$work" -cf - "$name" | gzip -9n >"$out/$name.tar.gz"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
say "$out/$name.tar.gz"
