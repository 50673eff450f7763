#!/usr/bin/env bash
# Unpacks Debian packages of any processor into a folder, without installing them and without a word to this machine's own apt: its sources
# and keys are used, its lists and state are not.
#
#   charts/image/debian.sh ARCHITECTURE FOLDER PACKAGE…
#
# Lists are read again once a day, so that fixes of libraries arrive; what was fetched is kept in the user's cache.
set -euo pipefail
shopt -s inherit_errexit

say() { echo "image: $*" >&2; }
architecture=$1 folder=$2
shift 2
command -v apt-get >/dev/null || { say "no apt here to fetch $* for $architecture: use the Dockerfile"; exit 1; }

cache=${XDG_CACHE_HOME:-$HOME/.cache}/portcullis/debian-$architecture
mkdir -p "$cache"/{lists/partial,archives/partial} "$folder"
exec 9>"$cache/lock"
flock 9

cat >"$cache/apt.conf" <<CONF
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Dir::State "$cache";
Dir::State::lists "$cache/lists";
Dir::State::status "/dev/null";
Dir::Cache "$cache";
CONF
export APT_CONFIG=$cache/apt.conf

fresh() { [[ -n $(find "$cache/updated" -mmin -1440 2>/dev/null) ]]; }
if ! fresh; then
  if apt-get -qq update >&2; then
    touch "$cache/updated"
  else
    say "lists of $architecture packages could not be read again"
  fi
fi

# A line for each: 'address' file size hash. apt compares the hash of what it fetches.
files=$(apt-get download --print-uris "$@" | cut -d' ' -f2 | sort)
[[ $(wc -l <<<"$files") == "$#" ]] || { say "no packages $* for $architecture among this machine's apt sources"; exit 1; }
cd "$cache/archives"
for file in $files; do
  # The name holds the version and, for a colon, %3a.
  [[ -s $file ]] || apt-get -qq download "${file%%_*}" >&2
  dpkg-deb -x "$file" "$folder"
done
