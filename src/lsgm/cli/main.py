"""Entry point: parse, run one verb, turn outcomes into exit codes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import lsgm
from lsgm.cli import dry_run, options, several
from lsgm.cli.jobs import workflow_job
from lsgm.cli.verbs import (
    bench,
    cost,
    doctor,
    evaluate,
    export_official,
    figure,
    import_official,
    plan,
    prepare,
    pretrain,
    publish,
    runs,
    sample,
    samplers,
    schema,
    table,
    tolerance,
    train,
    variance,
)
from lsgm.config import ConfigError
from lsgm.progress_log import shown

DONE, FAILED, BAD_INPUT, RESUMABLE = 0, 1, 2, 75

VERBS = (
    prepare,
    pretrain,
    train,
    sample,
    evaluate,
    tolerance,
    samplers,
    cost,
    variance,
    table,
    figure,
    runs,
    publish,
    plan,
    schema,
    import_official,
    export_official,
    doctor,
    bench,
)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    parser = argparse.ArgumentParser(
        prog="lsgm",
        description="Latent score-based generative models: from a data set to the paper's tables.",
        epilog="Exit codes: 0 done; 2 bad input; 75 stopped, run the same command again to go on.",
    )
    parser.add_argument("--version", action="version", version=f"lsgm {lsgm.__version__}")
    verbs = parser.add_subparsers(
        dest="verb", required=True, metavar="VERB", title="verbs, in the order of the workflow"
    )
    for verb in VERBS:
        verb.add_parser(verbs)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    args = build_parser().parse_args(argv)
    try:
        if getattr(args, "dry_run", False):
            dry_run.run(args)
        else:
            options.require_files(args)
            workflow_job.end_with_workflow()
            if several.wanted(args):
                return several.start(args, argv)
            with shown(f"lsgm {args.verb}"):
                args.run(args)
            several.finish()
    except ConfigError as error:
        several.say(f"lsgm {args.verb}: error: {error}")
        return BAD_INPUT
    except train.stop_signal() as stop:
        several.say(f"lsgm {args.verb}: {stop}; run the same command again to go on")
        return RESUMABLE
    except BrokenPipeError:
        return DONE
    except Exception:
        if several.is_consequence():
            return FAILED
        raise
    return DONE


if __name__ == "__main__":
    sys.exit(main())
