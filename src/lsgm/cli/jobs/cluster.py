"""What is asked of a Slurm cluster before the workflow sends it the first job; the workflow's view of Slurm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lsgm.config import ConfigError, read_yaml


def require_partitions(profile: Path) -> None:
    """Refuse a profile that names a partition which the cluster does not have.

    Args:
        profile: the profile's file, with the section `partitions`.

    Raises:
        ConfigError: that, or Slurm is not installed here, or does not answer.
    """
    if shutil.which("sbatch") is None:
        raise ConfigError(
            "no `sbatch` on the PATH: type this on a login node of the cluster, or without --profile slurm"
        )
    done = subprocess.run(["sinfo", "--noheader", "--format=%R"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise ConfigError(f"Slurm does not answer ({reason}); is this a login node of the cluster?")
    known = sorted(set(done.stdout.split()))
    for name in read_yaml(profile).get("partitions", {}):
        if str(name) not in known:
            raise ConfigError(f"{profile}: partitions.{name} is not on this cluster; there are: {', '.join(known)}")
