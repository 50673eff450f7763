#!/usr/bin/env bash
# Builds the image of operator and data plane without a container engine, from the bundles in dist/ and the pinned Node: an OCI archive that
# `ctr images import`, `skopeo copy oci-archive:…` and `docker load` take. Equal input gives equal bytes.
#
#   charts/image/build.sh [--arch amd64|arm64 | --all] [NAME:TAG] [ARCHIVE]
#
# Default: for the processor of this machine, portcullis:<version>, dist/portcullis-image.tar. `--all` makes one image for both processors,
# of which every node takes its own (`skopeo copy --all` to push it).
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { echo "image: $*" >&2; }
case $(uname -m) in
  x86_64) architectures=(amd64) ;;
  aarch64) architectures=(arm64) ;;
  *) architectures=("$(uname -m)") ;;
esac
suffix=
case ${1-} in
  --all) architectures=(amd64 arm64) suffix=-all; shift ;;
  --arch) architectures=("${2:?amd64 or arm64}") suffix=-$2; shift 2 ;;
  -*) say "unknown option $1"; exit 2 ;;
esac
for file in dist/portcullis.js dist/portcullis-load.js dist/portcullis-operator.js dist/package.json; do
  [[ -s $file ]] || { say "$file is missing: run make build first"; exit 1; }
done
version=$(sed -n 's/^ *"version": "\(.*\)",$/\1/p' package.json)
name=${1:-portcullis:$version}
archive=${2:-dist/portcullis-image$suffix.tar}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
blobs=$work/layout/blobs/sha256
mkdir -p "$blobs"

# Numeric ids, no times, sorted names: the same files make the same archive.
pack() { tar -C "$1" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$2" .; }

# blob FILE TYPE: moves it in place and prints its descriptor. Layers stay uncompressed, so that their digest is their diff id as well.
blob() {
  local digest
  digest=$(sha256sum "$1" | cut -d' ' -f1)
  printf '{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%s","size":%s}' "$2" "$digest" "$(stat -c %s "$1")"
  mv "$1" "$blobs/$digest"
}
digest_of() { sed 's/.*"digest":"\([^"]*\)".*/\1/' <<<"$1"; }

# layer FOLDER: prints its descriptor.
layer() {
  pack "$1" "$work/layer.tar"
  blob "$work/layer.tar" layer.v1.tar
}

install -D -m 644 -t "$work/app/app" dist/portcullis.js dist/portcullis-load.js dist/portcullis-operator.js dist/package.json
install -D -m 644 -t "$work/app/app/chunks" dist/chunks/*.js
chmod -R u=rwX,go=rX "$work/app"
# The bundles are plain JavaScript: one layer for every processor.
app=$(layer "$work/app")

# Node, what it loads, and the little that programs expect around them.
base_layer() {
  local base=$work/base-$1
  mkdir -p "$base"/{etc,tmp,proc,sys,dev}
  charts/image/runtime.sh "$1" "$base"
  echo 'root:x:0:0::/:/bin/false
portcullis:x:65532:65532::/tmp:/bin/false' >"$base/etc/passwd"
  echo 'root:x:0:
portcullis:x:65532:' >"$base/etc/group"
  echo 'hosts: files dns' >"$base/etc/nsswitch.conf"
  chmod -R u=rwX,go=rX "$base"
  # For those who run it without a volume there: the one place that is written to.
  chmod 1777 "$base/tmp"
  layer "$base"
  rm -rf "$base"
}

# manifest ARCHITECTURE: prints the descriptor of an image for it.
manifest() {
  local base config
  base=$(base_layer "$1")
  cat >"$work/config" <<JSON
{"architecture":"$1","os":"linux","config":{"User":"65532:65532","WorkingDir":"/tmp","Env":["PATH=/usr/local/bin","HOME=/tmp"],"Entrypoint":["node","--max-semi-space-size=16","--no-parallel-scavenge","/app/portcullis.js"],"ExposedPorts":{"8080/tcp":{},"9090/tcp":{}},"Labels":{"org.opencontainers.image.title":"portcullis","org.opencontainers.image.version":"$version"}},"rootfs":{"type":"layers","diff_ids":["$(digest_of "$base")","$(digest_of "$app")"]}}
JSON
  config=$(blob "$work/config" config.v1+json)
  cat >"$work/manifest" <<JSON
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":$config,"layers":[$base,$app]}
JSON
  blob "$work/manifest" manifest.v1+json
}

# index FILE DESCRIPTOR…
index() {
  local IFS=,
  echo "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[${*:2}]}" >"$1"
}

manifests=()
for architecture in "${architectures[@]}"; do
  image=$(manifest "$architecture")
  manifests+=("${image%\}},\"platform\":{\"architecture\":\"$architecture\",\"os\":\"linux\"}}")
done
image=${manifests[0]}
if ((${#manifests[@]} > 1)); then
  index "$work/images" "${manifests[@]}"
  image=$(blob "$work/images" index.v1+json)
fi
index "$work/layout/index.json" \
  "${image%\}},\"annotations\":{\"io.containerd.image.name\":\"$name\",\"org.opencontainers.image.ref.name\":\"${name##*:}\"}}"
echo '{"imageLayoutVersion":"1.0.0"}' >"$work/layout/oci-layout"
pack "$work/layout" "$work/archive.tar"
mv "$work/archive.tar" "$archive"
say "$archive: $name for ${architectures[*]}, $(($(stat -c %s "$archive") / 1000000)) MB, $(digest_of "$image")"
