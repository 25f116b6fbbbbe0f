#!/bin/sh
# Kills the program while the repository is being made, and resumes: the step is idempotent, so it is
# attempted again with the same key, and the saga completes.
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

PAUSE=60 "$compensation" run saga.yaml --id tenant-acme --input tenant=acme --input "root=$root" &
program=$!
wait_for "$root/acme/repository/.git"
kill -9 "$program"
wait "$program" 2> /dev/null || true
echo "--- killed; the store says:"
"$compensation" list

"$compensation" resume tenant-acme || fail "it did not complete"

[ "$(git -C "$root/acme/repository" rev-list --count HEAD)" = 1 ] || fail "there must be one commit"
grep -q "tenant = acme" "$root/acme/settings.ini" || fail "the configuration is not there"
[ -e "$root/acme/tenant.db" ] || fail "the database is not there"
[ "$(cat "$root/tenants")" = acme ] || fail "the tenant must be listed once"
"$compensation" run saga.yaml --id tenant-acme --input tenant=acme --input "root=$root" ||
    fail "the same saga again must find it completed"
[ "$(cat "$root/tenants")" = acme ] || fail "nothing may be done twice"
echo "RIGHT: killed in the middle, resumed, completed once"
