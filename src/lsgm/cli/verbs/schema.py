"""`lsgm schema`: the JSON schema of the settings, which the workflow keeps under workflow/schemas."""

from __future__ import annotations

import argparse
import json

from lsgm.config import ExperimentConfig


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "schema",
        help="print every settings key with type, default and meaning, as JSON schema",
        description="Print the JSON schema of the settings: every key with its type, default and meaning.",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the schema."""
    print(text())


def text() -> str:
    """The schema as it is kept in workflow/schemas/experiment.schema.json."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **ExperimentConfig.model_json_schema()}
    return json.dumps(schema, indent=2)
