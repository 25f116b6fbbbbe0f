"""Uploads a file. PAUSE is for kill-and-resume.sh: it keeps the step in flight for so many seconds."""

import os
import sys
import time
import urllib.request

url, path = sys.argv[1:]
with open(path, "rb") as file:
    request = urllib.request.Request(url, data=file.read(), method="PUT")
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with direct.open(request) as answer:
    answer.read()
time.sleep(float(os.environ.get("PAUSE", "0")))
print(url)
