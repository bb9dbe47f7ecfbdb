"""Prints the table commit/testdata/patterns.json: which paths the real filter_repo_objects lets through."""

import itertools
import json
import random

from huggingface_hub.utils import filter_repo_objects

PATHS = [
    "a", "b", "A", "a.bin", ".a", "a.b.bin", "d/a.bin", "d/e/a.bin", "d/", "dd/a", "d", "a-b", "a]b", "[a]", "a[b",
    "x/.git/y", "d/e/f/g.txt", "model-00001-of-00002.safetensors", "model.safetensors", "^", "!", "-", "\\", "a\\b", "ä/ö.txt",
    "a\nb", "tmp/x.tmp", "checkpoint-10/optimizer.pt", "logs/events.out.1", "*", "?", "a*b", "m", "z", "{", "~", "&&", "a|b", "5",
]
ONE = [
    "*", "", "a", "a*", "*.bin", "d/*", "d/", "d/*.bin", "*/a.bin", "**/a.bin", "d/**", "?", "??", "[a]", "[!a]", "[ab]*", "[a-c]", "[c-a]",
    "[!c-a]", "[a-]", "[-a]", "[--a]", "[!-a]", "[]a]", "[!]a]", "[]", "[!]", "[", "[a", "a[", "[[]", "[^]", "[^a]", "[\\]", "a\\b", "[a-c-e]*",
    "[!a-c-e]", "[a-cx-z]", "[xc-ay]", "*-of-*", "model*.safetensors", "checkpoint-*/", "*.tmp", "[A-Z]", "[!A-Z]*", "ä/*", "*/ö.txt", "?/?.txt",
    "[à-ü]/*", "a\nb", "a?b", "[*]", "[?]", "a[*]b", ".*", "*.*", "*[!n]", "[&&]*", "[~]", "[|a]", "a[|]b", "[a-z&&b]", "[0-9]", "[5-5]",
    "[z-a-c]", "[!z-a]", "[a--]", "[--]", "[---]", "[a-z-0-9]", "d", "d//", "/", "/a", "*/", "**", "*a*b*", "*****", "[!-]", "[!]-a]",
]


def row(allow, ignore):
    kept = list(filter_repo_objects(PATHS, allow_patterns=allow, ignore_patterns=ignore))
    return {"allow": allow, "ignore": ignore, "out": [p for p in PATHS if p not in kept]}


def table():
    rows = [row(None, None), row([], None), row(None, [])]
    rows += [row([p], None) for p in ONE]
    rows += [row(None, [p]) for p in ONE]
    rng = random.Random(1)
    for _ in range(120):
        rows.append(row(rng.sample(ONE, rng.randint(1, 3)), rng.sample(ONE, rng.randint(0, 3))))
    letters = "ab]-![^\\c*?/&|~"
    for size in (2, 3):
        for seq in itertools.islice(itertools.product(letters, repeat=size), 0, None, 7):
            rows.append(row(["[" + "".join(seq) + "]*"], None))
    return {"paths": PATHS, "rows": rows}


if __name__ == "__main__":
    print(json.dumps(table(), ensure_ascii=True, indent=None, separators=(",", ":")).replace('{"allow"', '\n{"allow"'))
