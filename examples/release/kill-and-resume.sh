#!/bin/sh
# Kills the program while it uploads, and resumes: the upload is not idempotent, so it is not tried again;
# what may have been uploaded is deleted, and so is all that was done before.
#
#   COMPENSATION=/path/to/compensation ./kill-and-resume.sh [DIRECTORY]
set -eu
cd "$(dirname "$0")"
compensation=${COMPENSATION:-compensation}
root=${1:-}
server=
clean() {
    [ -z "$server" ] || kill "$server"
    [ -z "${made:-}" ] || rm -rf "$made"
}
trap clean EXIT
if [ -z "$root" ]; then
    root=$(mktemp -d)
    made=$root
fi
export COMPENSATION_DB="$root/sagas.db"
# Requests to this machine go to this machine.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1

fail() {
    echo "WRONG: $1" >&2
    exit 1
}

# Waits at most a minute for a file or directory that is not empty.
wait_for() {
    tries=600
    until [ -s "$1" ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "$1 never came"
        sleep 0.1
    done
}

git init -q "$root/sources"
echo "print('hello')" > "$root/sources/hello.py"
git -C "$root/sources" add .
git -C "$root/sources" -c user.name=release -c user.email=release@example.org commit -q -m "Say hello"
python3 server.py "$root/kept" > "$root/port" &
server=$!
wait_for "$root/port"
port=$(cat "$root/port")

set -- --input version=1.0 --input "port=$port" --input "root=$root"
PAUSE=60 "$compensation" run saga.yaml --id first "$@" &
program=$!
wait_for "$root/kept/%2Ffiles%2F1.0.tar"
kill -9 "$program"
wait "$program" 2> /dev/null || true
echo "--- killed; the store says:"
"$compensation" list

code=0
"$compensation" resume first || code=$?
[ "$code" = 3 ] || fail "it must be undone and exit with 3, not $code"
[ -z "$(ls "$root/kept")" ] || fail "the server must have nothing: $(ls "$root/kept")"
[ ! -e "$root/sources-1.0.tar" ] || fail "the archive must be gone"
[ ! -e "$root/sources-1.0.tar.sha256" ] || fail "the checksum must be gone"
[ -z "$(git -C "$root/sources" tag)" ] || fail "there must be no tag"

"$compensation" run saga.yaml --id second "$@" || fail "the second release must complete"
[ "$(git -C "$root/sources" tag)" = v1.0 ] || fail "there must be the tag"
sum=$(sha256sum < "$root/kept/%2Ffiles%2F1.0.tar" | cut -d ' ' -f 1)
grep -q "$sum" "$root/kept/%2Fannouncements%2F1.0" || fail "the checksum must be announced"
grep -q 1.0 "$root/kept/%2Flatest" || fail "it must be the latest"
echo "RIGHT: killed in the middle, undone; then released"
