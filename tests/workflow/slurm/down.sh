#!/usr/bin/env bash
# End the cluster that up.sh FOLDER started, by the pids recorded there, and remove its links from /etc/slurm.
set -uo pipefail
ROOT=${1:?folder}

stop() {  # name
  local pid
  pid=$(cat "$ROOT/run/$1.pid" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null
  for _ in $(seq 100); do
    # In a container nobody may be there to bury it.
    grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/$pid/status" || break
    sleep 0.1
  done
}

[[ $(readlink /etc/slurm/slurm.conf) == "$ROOT"/* ]] || exit 0
scancel --user="$(id -un)" 2>/dev/null
for _ in $(seq 50); do
  [[ -z $(squeue -h 2>/dev/null) ]] && break
  sleep 0.1
done
for name in "$ROOT"/run/slurmd.*.pid slurmctld slurmdbd mysqld munged; do
  stop "$(basename "$name" .pid)"
done
for file in slurm.conf gres.conf slurmdbd.conf; do
  [[ $(readlink "/etc/slurm/$file") == "$ROOT"/* ]] && rm "/etc/slurm/$file"
done
exit 0
