"""What the migration does to its two databases. Everything may be repeated."""

import contextlib
import os
import sqlite3
import sys
import time


@contextlib.contextmanager
def transaction(*path):
    """All of it or nothing, also where the process is killed."""
    database = sqlite3.connect(os.path.join(*path), timeout=30, isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        yield database
        database.execute("COMMIT")
    finally:
        database.close()


def prepare(root):
    """Two databases to try it with."""
    os.makedirs(root, exist_ok=True)
    with transaction(root, "old.db") as old:
        old.execute("CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, region TEXT)")
        old.execute("CREATE TABLE frozen (region TEXT PRIMARY KEY, saga TEXT)")
        rows = [(f"customer {n}", "north" if n % 3 else "south") for n in range(300)]
        old.executemany("INSERT INTO customer (name, region) VALUES (?, ?)", rows)
    with transaction(root, "new.db") as new:
        new.execute("CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, region TEXT, saga TEXT)")
        new.execute("CREATE TABLE home (region TEXT PRIMARY KEY)")


def freeze(root, region, saga):
    with transaction(root, "old.db") as old:
        old.execute("INSERT OR IGNORE INTO frozen VALUES (?, ?)", (region, saga))
        (owner,) = old.execute("SELECT saga FROM frozen WHERE region = ?", (region,)).fetchone()
    if owner != saga:
        sys.exit(f"the region is frozen by {owner}")


def thaw(root, region, saga):
    with transaction(root, "old.db") as old:
        old.execute("DELETE FROM frozen WHERE region = ? AND saga = ?", (region, saga))


def count(path, region):
    with transaction(path) as database:
        query = "SELECT count(*) FROM customer WHERE region = ?"
        print(database.execute(query, (region,)).fetchone()[0])


def copy(root, region, saga):
    with transaction(root, "old.db") as old:
        query = "SELECT id, name, region FROM customer WHERE region = ?"
        rows = [(*row, saga) for row in old.execute(query, (region,))]
    with transaction(root, "new.db") as new:
        new.executemany("INSERT OR IGNORE INTO customer VALUES (?, ?, ?, ?)", rows)
    print(len(rows))


def uncopy(root, saga):
    with transaction(root, "new.db") as new:
        new.execute("DELETE FROM customer WHERE saga = ?", (saga,))
        # For kill-and-resume.sh, which waits for the file and kills before the transaction ends.
        if pause := os.environ.get("PAUSE"):
            open(os.path.join(root, "undoing"), "w").close()
            time.sleep(float(pause))


def switch(root, region):
    with transaction(root, "new.db") as new:
        new.execute("INSERT OR IGNORE INTO home VALUES (?)", (region,))


def remove(root, region):
    with transaction(root, "old.db") as old:
        old.execute("DELETE FROM customer WHERE region = ?", (region,))


VERBS = [prepare, freeze, thaw, count, copy, uncopy, switch, remove]
{verb.__name__: verb for verb in VERBS}[sys.argv[1]](*sys.argv[2:])
