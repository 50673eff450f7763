#!/usr/bin/env bash
# Builds Kubernetes for the tests from Go modules, once for each version: what is there already is left alone.
#
#   build.sh [control-plane] [cluster] [tools]
#   build.sh --bin            only prints the folder the programs go to
#
# One program at a time and two compiler processes: linking takes 2 GiB, and a line for each says how far it is.
set -euo pipefail
module=$(cd "$(dirname "${BASH_SOURCE[0]}")/go" && pwd)
version=$(sed -n 's#^\tk8s.io/kubernetes \(v[0-9.]*\).*#\1#p' "$module/go.mod")
bin=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis/k8s/$version/bin

containerd=github.com/containerd/containerd/v2
containerd_version=v2.4.2
cni_version=v1.9.1
coredns_version=v1.15.0
helm_version=v4.3.1
helm3_version=v3.22.0
kubeconform_version=v0.8.0

export CGO_ENABLED=0 GOFLAGS='-trimpath -buildvcs=false -p=2'

# Without these the API server calls itself v0.0.0-master, which is no version to charts and clients.
kubernetes_flags() {
  local major minor package
  IFS=. read -r major minor _ <<<"${version#v}"
  printf -- '-s -w'
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    printf -- ' -X %s.gitVersion=%s -X %s.gitMajor=%s -X %s.gitMinor=%s' \
      "$package" "$version" "$package" "$major" "$package" "$minor"
    printf -- ' -X %s.gitTreeState=clean -X %s.gitCommit=unknown -X %s.buildDate=2026-08-20T11:51:43Z' \
      "$package" "$package" "$package"
  done
}

# build NAME COMMAND...: COMMAND writes a program called NAME into the folder $GOBIN
build() {
  local name=$1 started=$SECONDS
  shift
  [[ ! -x $bin/$name ]] || return 0
  printf '    %-24s …' "$name"
  GOBIN=$(mktemp -d "$bin/.build.XXXXXX")
  export GOBIN
  "$@"
  mv "$GOBIN/$name" "$bin/$name" # whole or not at all
  rm -r "$GOBIN"
  printf '\r    %-24s %4d s %5d MB\n' "$name" $((SECONDS - started)) $(($(stat -c %s "$bin/$name") / 1000000))
}
of_module() { # NAME PACKAGE: at the version our go.mod holds
  (cd "$module" && go build -mod=readonly -ldflags "$(kubernetes_flags)" -o "$GOBIN/$1" "$2")
}
published() { # NAME PACKAGE@VERSION [FLAGS]: held to the checksum database
  (cd "$GOBIN" && go install -ldflags "-s -w ${3:-}" "$2" 2> >(grep -v '^go: downloading' >&2))
  [[ -e $GOBIN/$1 ]] || mv "$GOBIN"/* "$GOBIN/$1"
}

control_plane() {
  local name
  for name in kube-apiserver kube-controller-manager kubectl; do
    build $name of_module $name k8s.io/kubernetes/cmd/$name
  done
  build etcd of_module etcd go.etcd.io/etcd/server/v3
}

cluster() {
  local name plugin
  for name in kubelet kube-proxy kube-scheduler; do
    build $name of_module $name k8s.io/kubernetes/cmd/$name
  done
  for name in containerd containerd-shim-runc-v2 ctr; do
    build $name published $name $containerd/cmd/$name@$containerd_version "-X $containerd/version.Version=$containerd_version"
  done
  for plugin in main/ptp main/loopback ipam/host-local meta/portmap; do
    name=${plugin#*/}
    build "$name" published "$name" github.com/containernetworking/plugins/plugins/$plugin@$cni_version
  done
  build pause of_module pause ./pause
  build coredns published coredns github.com/coredns/coredns@$coredns_version
}

tools() {
  build helm published helm helm.sh/helm/v4/cmd/helm@$helm_version \
    "-X helm.sh/helm/v4/internal/version.version=$helm_version"
  build helm3 published helm3 helm.sh/helm/v3/cmd/helm@$helm3_version \
    "-X helm.sh/helm/v3/internal/version.version=$helm3_version"
  build kubeconform published kubeconform github.com/yannh/kubeconform/cmd/kubeconform@$kubeconform_version
}

# Debian packages the node needs besides; the control plane needs openssl.
packages() {
  local missing=() program
  for program in "$@"; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || missing+=("$program")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0
  missing=("${missing[@]/#nft/nftables}")
  missing=("${missing[@]/#ip/iproute2}")
  printf '    install %s\n' "${missing[*]}"
  apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

[[ ${1:-} != --bin ]] || { echo "$bin"; exit; }
mkdir -p "$bin"
exec 9>"$bin/.lock"
flock --nonblock 9 || { echo '    another run is building: waiting for it'; flock 9; }
rm -rf "$bin"/.build.* # of a run that was interrupted
for group in "${@:-control-plane}"; do
  case $group in
    # not joined by &&, under which a failing step would not end the script
    control-plane) packages openssl; control_plane ;;
    cluster) packages openssl runc nft ip; cluster ;;
    tools) tools ;;
    *) echo "unknown group: $group" >&2; exit 2 ;;
  esac
done
