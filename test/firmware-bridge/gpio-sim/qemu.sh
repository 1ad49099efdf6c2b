#!/bin/sh
# Runs a command of this project inside an emulated machine whose kernel simulates GPIO lines (docs/gpio-testing.md):
#
#   qemu.sh KERNEL GPIOD[:GPIOD] [COMMAND]
#
# KERNEL is a tree with boot/vmlinuz-* and lib/modules/*, GPIOD one with usr/bin/gpiomon, all unpacked from packages
# (dpkg -x); of several GPIOD the first one's programs are those of the machine. This machine's files are shared read-only; what the command writes is gone when it ends. Needs
# qemu-system-x86_64, busybox (static), cpio and zstd. Ends with what the command ended with.
set -eu

if [ $# -lt 2 ]; then
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
kernel=$(realpath "$1")
gpiods=$(echo "$2" | tr : '\n' | while read -r one; do realpath "$one"; done)
command=${3:-npm run test:gpio}
root=$(realpath "$(dirname "$0")/../../..")
release=$(basename "$kernel"/lib/modules/*)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# In the order in which they need each other; what a kernel has built in, or has not at all, is passed over.
modules="netfs 9pnet 9pnet_virtio 9p overlay dev-sync-probe gpio-sim uleds ledtrig-timer"

mkdir -p "$work/init/bin" "$work/init/modules" "$work/init/host"
cp "$(command -v busybox)" "$work/init/bin/busybox"
for module in $modules; do
  find "$kernel/lib/modules/$release" -name "$module.ko*" | while read -r found; do
    case $found in
      *.zst) zstd -qdc "$found" ;;
      *.xz) xz -dc "$found" ;;
      *) cat "$found" ;;
    esac >"$work/init/modules/$module.ko"
  done
done

# The first program: the host's files below, a place in memory above, and on from there.
cat >"$work/init/init" <<INIT
#!/bin/busybox sh
/bin/busybox --install -s /bin 2>/dev/null
mkdir -p /proc /sys /dev /lower /memory /whole
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
for module in $modules; do
  if [ -e /modules/\$module.ko ]; then insmod /modules/\$module.ko; fi
done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=1048576,cache=loose,ro host /lower
mount -t tmpfs -o size=75% memory /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/lower,upperdir=/memory/upper,workdir=/memory/work overlay /whole
for place in proc sys dev; do mount --move /\$place /whole/\$place; done
mount -t tmpfs memory /whole/run
cp /inside /whole/run/inside
exec switch_root /whole /bin/sh /run/inside
INIT

cat >"$work/init/inside" <<INSIDE
mkdir -p /dev/pts /dev/shm /run/gpiod
mount -t devpts devpts /dev/pts; mount -t tmpfs shm /dev/shm; mount -t configfs configfs /sys/kernel/config
ip link set lo up 2>/dev/null
export HOME=/run LANG=C.UTF-8 FORCE_COLOR=0 CI=1
export GPIOD_PROGRAMS= PATH=/run/gpiod/1:'$root'/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Programs of a newer system bring their own C library, and with it the program that loads them.
number=0
for gpiod in $(echo $gpiods); do
  number=\$((number + 1)); place=/run/gpiod/\$number; mkdir -p "\$place"
  libraries=\$gpiod/usr/lib/\$(uname -m)-linux-gnu
  loader=\$(find "\$libraries" -name 'ld-linux-*.so.2')
  start="LD_LIBRARY_PATH=\$libraries exec"
  if [ -n "\$loader" ]; then start="exec \$loader --library-path \$libraries:/lib/\$(uname -m)-linux-gnu"; fi
  for program in "\$gpiod"/usr/bin/gpio*; do
    printf '#!/bin/sh\n%s %s "\$@"\n' "\$start" "\$program" >"\$place/\$(basename "\$program")"
    chmod +x "\$place/\$(basename "\$program")"
  done
  export GPIOD_PROGRAMS="\$GPIOD_PROGRAMS:\$place"
done
cd '$root'
echo "kernel \$(uname -r), \$(for place in /run/gpiod/*; do "\$place"/gpiomon --version | head -n 1 | tr '\n' ','; done) node \$(node --version)"
( $command ) </dev/null
echo "ended with \$?"
poweroff -f 2>/dev/null || busybox poweroff -f
INSIDE
chmod +x "$work/init/init"
(cd "$work/init" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd"

# Its clock counts instructions, a nanosecond each: however busy this machine is, that one is as quick as a small board.
qemu-system-x86_64 -machine q35 -cpu max -accel tcg,thread=single -icount shift=0 -m "${MEMORY:-4G}" \
  -kernel "$kernel"/boot/vmlinuz-* -initrd "$work/initrd" \
  -append "console=ttyS0 quiet loglevel=3 panic=-1 no_timer_check mitigations=off rdinit=/init" \
  -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
  -nic none -display none -monitor none -serial stdio -no-reboot </dev/null | sed -u 's/\r$//' | tee "$work/said"
exit "$(sed -n 's/^ended with \([0-9]*\)$/\1/p' "$work/said" | tail -n 1 | grep . || echo 1)"
