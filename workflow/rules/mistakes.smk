# Files of runs that there are not: how they are recognised, and what is said of them.
import re

RESULT_FILES = [
    "metrics.json",
    "model.safetensors",
    "samples.safetensors",
    "tolerance.json",
    "variance.json",
]
KNOWN_RESULT = rf"(?:{'|'.join(SCALES)})/{CATALOGUE.pattern(RUNS)}/(?:{'|'.join(map(re.escape, RESULT_FILES))})$"


def no_such_result(wildcards):
    """End with the one line that says which part of a file's name is wrong, and which there are."""
    scale, _, run = wildcards.unknown.partition("/")
    try:
        if scale not in SCALES:
            stop(f"no scale {scale!r}; there are: {', '.join(sorted(SCALES))}")
        CATALOGUE.settings(run, scale)
    except ConfigError as error:
        stop(error)
    stop(f"no rule makes results/{wildcards.unknown}/{wildcards.file}")
