"""A peer that measures when it is asked to, so that it and we can take turns in one run."""

import json


def serve(about, measures):
    """Says what it is, then answers every line that names a measure, until one does not or no more come.

    about: what is printed first. measures: functions by name, each returning a number.
    """
    print(json.dumps(about), flush=True)
    try:
        while (line := input().strip()) in measures:
            print(json.dumps({line: measures[line]()}), flush=True)
    except EOFError:
        pass
