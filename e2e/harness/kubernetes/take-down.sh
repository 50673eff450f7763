#!/usr/bin/env bash
# Ends what a folder of process-folder.ts started, and removes it. Safe to call twice, also at the same time.
#
#   take-down.sh --with-input FOLDER   waits until standard input ends: whoever holds the other end owns FOLDER, however it goes
#   take-down.sh --orphans ROOT        every folder in ROOT whose owner is gone: left by a run that was killed as a whole
#
# `owner` and `NAME.pid` hold a process id and the time that process began, so that a number given out again is not taken for it.
# `network` holds the number of a cluster's network (cluster.ts).
set -uo pipefail
shopt -s nullglob

began() { # began PID: clock ticks after boot; nothing when there is no such process or it only waits to be collected
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -- ${stat##*) } # the name before may hold blanks
  [[ $1 != Z ]] && echo "${20}"
}
alive() { # alive FILE
  local pid time
  read -r pid time 2>/dev/null <"$1" && [[ $(began "$pid") == "$time" ]]
}
take_down() {
  local folder=$1 file pid network _
  for _ in {1..5}; do # a process may have been started meanwhile
    for file in "$folder"/*.pid; do
      alive "$file" && read -r pid _ <"$file" && kill -KILL -- "-$pid" 2>/dev/null
    done
    for _ in {1..100}; do
      for file in "$folder"/*.pid; do alive "$file" && { sleep 0.05; continue 2; }; done
      break
    done
    if network=$(cat "$folder/network" 2>/dev/null); then
      ip link del "pc$network" 2>/dev/null # its route goes with it
      for _ in {1..20}; do # control groups outlive their processes for a moment
        find /sys/fs/cgroup -depth -type d -path "*/portcullis-$network*" -exec rmdir {} + 2>/dev/null
        [[ -n $(find /sys/fs/cgroup -maxdepth 2 -type d -name "portcullis-$network" 2>/dev/null) ]] || break
        sleep 0.1
      done
    fi
    rm -rf "$folder" 2>/dev/null && break
    sleep 0.2
  done
}

case $1 in
  --with-input)
    trap '' INT TERM HUP # a run that is interrupted as a group is cleaned up after, not along with
    cat >/dev/null
    take_down "$2"
    ;;
  --orphans)
    for folder in "$2"/*/ "$2"/.new-*/; do
      [[ -e ${folder}owner ]] || continue
      alive "${folder}owner" || take_down "${folder%/}"
    done
    ;;
esac
