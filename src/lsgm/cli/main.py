"""Entry point: parse, run one verb, turn outcomes into exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import lsgm
from lsgm.cli import dry_run, options, several
from lsgm.cli.jobs import workflow_job
from lsgm.cli.output import SafeStream, safe_streams
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
from lsgm.whole_file import explained

DONE, FAILED, BAD_INPUT, RESUMABLE, INTERRUPTED = 0, 1, 2, 75, 130
# What these print is all that they are for.
PRINTED = ("schema", "plan", "doctor")

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
        epilog="Exit codes: 0 done; 2 bad input; 75 stopped, run the same command again to go on; 130 interrupted.",
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
    # Figures are drawn into files, whatever a notebook has set for its own.
    os.environ["MPLBACKEND"] = "agg"
    with safe_streams() as output:
        code = _run(argv, output)
    return code


def _run(argv: Sequence[str] | None, output: SafeStream) -> int:
    args = build_parser().parse_args(argv)
    is_dry = getattr(args, "dry_run", False)
    try:
        several.require_whole_launch()
        if is_dry:
            dry_run.run(args)
        else:
            options.require_files(args)
            options.require_distinct(args)
            workflow_job.end_with_workflow()
            if several.wanted(args):
                return several.start(args, argv)
            with shown(f"lsgm {args.verb}"):
                args.run(args)
            several.finish()
    except ConfigError as error:
        several.say(f"lsgm {args.verb}: error: {error}")
        return BAD_INPUT
    except KeyboardInterrupt:
        several.say(f"lsgm {args.verb}: interrupted")
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, train.stop_signal()):
            several.say(f"lsgm {args.verb}: {error}; run the same command again to go on")
            return RESUMABLE
        if several.is_consequence():
            return FAILED
        if isinstance(error, OSError) and error.filename is not None:
            several.say(f"lsgm {args.verb}: error: {os.fsdecode(error.filename)}: {explained(error)}")
            return BAD_INPUT
        raise
    output.flush()
    if output.error is not None and not isinstance(output.error, BrokenPipeError) and (is_dry or args.verb in PRINTED):
        several.say(f"lsgm {args.verb}: error: the output cannot be written ({output.error})")
        return FAILED
    return DONE


if __name__ == "__main__":
    sys.exit(main())
