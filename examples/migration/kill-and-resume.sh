#!/bin/sh
# Kills the program in the middle of an undo, and resumes: the decision to go back was written down before
# the first undo began, so the saga goes on backward. Then the migration that does not fail is run.
#
#   COMPENSATION=/path/to/compensation ./kill-and-resume.sh [DIRECTORY]
set -eu
cd "$(dirname "$0")"
compensation=${COMPENSATION:-compensation}
root=${1:-}
if [ -z "$root" ]; then
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
fi
export COMPENSATION_DB="$root/sagas.db"

fail() {
    echo "WRONG: $1" >&2
    exit 1
}

# Waits at most a minute for a file or directory.
wait_for() {
    tries=600
    until [ -e "$1" ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "$1 never came"
        sleep 0.1
    done
}

# Fails unless so many customers of the north are in the old and in the new database.
customers() {
    old=$(python3 customers.py count "$root/old.db" north)
    new=$(python3 customers.py count "$root/new.db" north)
    [ "$old $new" = "$1 $2" ] || fail "$1 old and $2 new customers are expected, not $old and $new"
}

python3 customers.py prepare "$root"
customers 200 0
set -- --input region=north --input "root=$root"

PAUSE=60 "$compensation" run failing.yaml --id refused "$@" &
program=$!
wait_for "$root/undoing"
kill -9 "$program"
wait "$program" 2> /dev/null || true
echo "--- killed; the store says:"
"$compensation" list
customers 200 200

code=0
"$compensation" resume refused || code=$?
[ "$code" = 3 ] || fail "it must be undone and exit with 3, not $code"
customers 200 0

"$compensation" run saga.yaml --id moved "$@" || fail "the region must be free, and be moved"
customers 0 200
echo "RIGHT: killed in the middle of an undo, undone; then moved"
