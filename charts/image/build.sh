#!/usr/bin/env bash
# Builds the image of operator and data plane without a container engine, from the bundles in dist/ and the Node that npm installed: an OCI
# archive that `ctr images import`, `skopeo copy oci-archive:…` and `docker load` take. Equal input gives equal bytes.
#
#   charts/image/build.sh [NAME:TAG] [ARCHIVE]     default: portcullis:<version> dist/portcullis-image.tar
#
# For the processor of this machine; the Dockerfile beside is for all others. Libraries are those that Node loads here (glibc, C++).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { echo "image: $*" >&2; }
node=node_modules/node/bin/node
for file in dist/portcullis.js dist/portcullis-operator.js "$node"; do
  [[ -s $file ]] || { say "$file is missing: run make build first"; exit 1; }
done
version=$(sed -n 's/^ *"version": "\(.*\)",$/\1/p' package.json)
name=${1:-portcullis:$version}
archive=${2:-dist/portcullis-image.tar}
case $(uname -m) in
  x86_64) architecture=amd64 ;;
  aarch64) architecture=arm64 ;;
  *) say "no Node for $(uname -m)"; exit 1 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
blobs=$work/layout/blobs/sha256
mkdir -p "$blobs" "$work"/base/{etc,tmp,proc,sys,dev,usr/local/bin} "$work/app/app"

# Numeric ids, no times, sorted names: the same files make the same archive.
pack() { tar -C "$1" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$2" .; }

# Node, what it loads, and the little that programs expect around them.
install -m 755 "$node" "$work/base/usr/local/bin/node"
ldd "$node" | grep -o '/[^ ]*\.so[^ ]*' | sort -u | while read -r library; do
  install -D -m 755 "$library" "$work/base$library"
done
echo 'root:x:0:0::/:/bin/false
portcullis:x:65532:65532::/tmp:/bin/false' >"$work/base/etc/passwd"
echo 'root:x:0:
portcullis:x:65532:' >"$work/base/etc/group"
echo 'hosts: files dns' >"$work/base/etc/nsswitch.conf"
chmod -R u=rwX,go=rX "$work/base"
# For those who run it without a volume there: the one place that is written to.
chmod 1777 "$work/base/tmp"

install -m 644 dist/portcullis.js dist/portcullis-operator.js "$work/app/app/"
# Says that the bundles are modules; without it Node would have to find out by reading them twice.
echo '{"type":"module"}' >"$work/app/app/package.json"
chmod -R u=rwX,go=rX "$work/app"

# blob FILE TYPE: moves it in place and prints its descriptor. Layers stay uncompressed, so that their digest is their diff id as well.
blob() {
  local digest
  digest=$(sha256sum "$1" | cut -d' ' -f1)
  printf '{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%s","size":%s}' "$2" "$digest" "$(stat -c %s "$1")"
  mv "$1" "$blobs/$digest"
}
digest_of() { sed 's/.*"digest":"\([^"]*\)".*/\1/' <<<"$1"; }

pack "$work/base" "$work/base.tar"
pack "$work/app" "$work/app.tar"
base=$(blob "$work/base.tar" layer.v1.tar)
app=$(blob "$work/app.tar" layer.v1.tar)

cat >"$work/config" <<JSON
{"architecture":"$architecture","os":"linux","config":{"User":"65532:65532","WorkingDir":"/tmp","Env":["PATH=/usr/local/bin","HOME=/tmp"],"Entrypoint":["node","--max-semi-space-size=16","--no-parallel-scavenge","/app/portcullis.js"],"ExposedPorts":{"8080/tcp":{},"9090/tcp":{}},"Labels":{"org.opencontainers.image.title":"portcullis","org.opencontainers.image.version":"$version"}},"rootfs":{"type":"layers","diff_ids":["$(digest_of "$base")","$(digest_of "$app")"]}}
JSON
config=$(blob "$work/config" config.v1+json)
cat >"$work/manifest" <<JSON
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":$config,"layers":[$base,$app]}
JSON
manifest=$(blob "$work/manifest" manifest.v1+json)
cat >"$work/layout/index.json" <<JSON
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[${manifest%\}},"annotations":{"io.containerd.image.name":"$name","org.opencontainers.image.ref.name":"${name##*:}"}}]}
JSON
echo '{"imageLayoutVersion":"1.0.0"}' >"$work/layout/oci-layout"
pack "$work/layout" "$work/archive.tar"
mv "$work/archive.tar" "$archive"
say "$archive: $name for $architecture, $(($(stat -c %s "$archive") / 1000000)) MB, $(digest_of "$manifest")"
