# Makes a Git repository with a first commit, or finishes one that was begun.
# PAUSE is for kill-and-resume.sh: it keeps the step in flight for so many seconds.
set -eu
repository=$1
git init -q "$repository"
cd "$repository"
sleep "${PAUSE:-0}"
if ! git rev-parse -q --verify HEAD > /dev/null; then
    echo "Pages of a tenant." > README
    git add README
    git commit -q -m "First page"
fi
git rev-parse HEAD
