#!/usr/bin/env bash
# The first process of a node: runs in namespaces of its own (cluster.ts), makes them fit for kubelet and containerd, then only collects
# what containers orphan. When it ends, the kernel ends everything in its process namespace.
#
#   node.sh FOLDER NUMBER      writes FOLDER/node-ready
set -euo pipefail
folder=$1 number=$2 cgroup=portcullis-$2

hostname node
# Programs have fixed places for these; here they stay inside this mount namespace.
mkdir -p /var/lib/cni
for place in /run /var/log /var/lib/cni; do mount -t tmpfs tmpfs "$place"; done
mount --make-rshared / # among the pods of this node, not with the machine

until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
ip link set lo up
ip addr add "10.$number.0.2/30" dev eth0
ip link set eth0 up
ip route add default via "10.$number.0.1" # kubelet looks for one
echo 1 >/proc/sys/net/ipv4/ip_forward

if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
  mkdir -p "/sys/fs/cgroup/$cgroup"
else # version 1: a tree for each controller
  for tree in /sys/fs/cgroup/*/; do mkdir -p "$tree$cgroup" 2>/dev/null || true; done
  if [[ -e /sys/fs/cgroup/cpuset/$cgroup ]]; then
    for file in cpuset.cpus cpuset.mems; do # empty at first, and then no process may enter
      cat "/sys/fs/cgroup/cpuset/$file" >"/sys/fs/cgroup/cpuset/$cgroup/$file"
    done
  fi
fi
touch "$folder/node-ready"

while :; do sleep 3600 & wait $! || true; done
