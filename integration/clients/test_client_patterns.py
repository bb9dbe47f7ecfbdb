"""The table that the patterns of commits are tested with is what the library answers."""

import json
import pathlib

import patterns_table

TABLE = pathlib.Path(__file__).parents[2] / "commit" / "testdata" / "patterns.json"


def test_table_is_what_the_library_answers():
    assert json.loads(TABLE.read_text()) == patterns_table.table()
