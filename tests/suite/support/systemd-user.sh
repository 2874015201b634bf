#!/bin/bash
# Runs a real `systemd --user` for an unprivileged user in namespaces of its own, until its standard input ends.
#
#   unshare --mount --propagation private bash systemd-user.sh FOLDER
#
# FOLDER/home becomes the user's home, which is /home/tester inside; FOLDER/log gets the logs. Prints
# "cannot: REASON" and exits 77 where this machine does not allow it, "ready" once the manager runs. The machine
# outside the namespace is not changed, but for a control group that is removed again.
set -eu
folder=$1
user=1500
cannot() { echo "cannot: $*"; exit 77; }

[ "$(id -u)" = 0 ] || cannot "not root"
for program in /usr/lib/systemd/systemd setpriv setsid; do
    command -v "$program" >/dev/null || cannot "$program is missing"
done

# the unified hierarchy: the only one, or beside the old ones
if [ -e /sys/fs/cgroup/cgroup.procs ]; then unified=/sys/fs/cgroup
elif [ -e /sys/fs/cgroup/unified/cgroup.procs ]; then unified=/sys/fs/cgroup/unified
else cannot "there is no unified control group hierarchy"; fi
group=nosso-test-$$
mkdir -p "$unified/$group/manager" 2>/dev/null || cannot "control groups are read-only"

mkdir -p "$folder/home" "$folder/log"
chown -R $user:$user "$folder/home"

mount -t tmpfs tmpfs /run || cannot "mounting is not allowed"
# without unit-root every unit with a sandbox of its own fails
mkdir -p /run/systemd/system /run/systemd/unit-root /run/user/$user
chown $user:$user /run/user/$user
chmod 700 /run/user/$user
# not below /tmp, which a service with PrivateTmp= does not see
mount -t tmpfs tmpfs /home
mkdir /home/tester
mount --bind "$folder/home" /home/tester
{ cat /etc/passwd; echo "tester:x:$user:$user:tester:/home/tester:/bin/bash"; } >/run/passwd
{ cat /etc/group; echo "tester:x:$user:"; } >/run/group
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group

own=$unified/$group
chown $user:$user "$own" "$own/cgroup.procs" "$own/cgroup.subtree_control" \
    "$own/manager" "$own/manager/cgroup.procs" "$own/manager/cgroup.threads"
if [ "$unified" != /sys/fs/cgroup ]; then
    umount -l /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup || cannot "the unified hierarchy cannot be mounted"
fi
own=/sys/fs/cgroup/$group

/usr/lib/systemd/systemd-journald >"$folder/log/journald" 2>&1 &
journal=$!
for _ in $(seq 100); do [ -S /run/systemd/journal/stdout ] && break; sleep 0.05; done

(
    echo $BASHPID >"$own/manager/cgroup.procs"
    exec setsid setpriv --reuid=$user --regid=$user --clear-groups --inh-caps=-all --bounding-set=-all \
        env -i PATH=/usr/bin:/bin HOME=/home/tester USER=tester LOGNAME=tester SHELL=/bin/bash LANG=C.UTF-8 \
        XDG_RUNTIME_DIR=/run/user/$user DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$user/bus \
        SYSTEMD_LOG_TARGET=console /usr/lib/systemd/systemd --user
) </dev/null >"$folder/log/manager" 2>&1 &
manager=$!
for _ in $(seq 100); do
    [ -S /run/user/$user/systemd/private ] && break
    kill -0 $manager 2>/dev/null || break
    sleep 0.05
done
if [ -S /run/user/$user/systemd/private ]; then
    echo ready
    cat >/dev/null || true
else
    echo "cannot: systemd --user did not start: $(tail -n 3 "$folder/log/manager" | tr '\n' ' ')"
fi

# as `systemctl --user exit`: stops every unit in order
kill -TERM $manager 2>/dev/null || true
for _ in $(seq 400); do kill -0 $manager 2>/dev/null || break; sleep 0.05; done
kill -9 $manager 2>/dev/null || true
# what a manager that failed left behind, all of it ours
find "$own" -name cgroup.procs -exec cat {} + | xargs -r kill -9 2>/dev/null || true
kill $journal 2>/dev/null || true
wait || true
for _ in $(seq 40); do
    find "$own" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    [ -e "$own" ] || break
    sleep 0.05
done
