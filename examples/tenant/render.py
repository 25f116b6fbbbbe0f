"""Renders the template that is named to the standard output, with the values of the environment."""

import os
import string
import sys

with open(sys.argv[1], encoding="utf-8") as template:
    sys.stdout.write(string.Template(template.read()).substitute(os.environ))
