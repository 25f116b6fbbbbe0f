"""Makes a tenant's database, or finishes one that was begun."""

import sqlite3
import sys

path, tenant = sys.argv[1:]
with sqlite3.connect(path) as database:
    database.execute("CREATE TABLE IF NOT EXISTS account (name TEXT PRIMARY KEY, balance INTEGER)")
    database.execute("INSERT OR IGNORE INTO account VALUES (?, 0)", (tenant,))
print(path)
