"""Exit status 0 if this interpreter has every `name==version` line of a requirements file."""

import sys
from importlib.metadata import PackageNotFoundError, version


def missing(path):
    with open(path) as f:
        for line in f:
            line = line.split("#")[0].strip()
            if not line:
                continue
            name, _, want = line.partition("==")
            try:
                if version(name) != want:
                    yield line
            except PackageNotFoundError:
                yield line


sys.exit(any(True for _ in missing(sys.argv[1])))
