#!/usr/bin/env bash
# Start a Slurm cluster of two nodes on this machine: partitions cpu and gpu, four fake GPUs a node, accounting (sacct).
# The nodes are two slurmd under names of their own, on ports of their own.
#
#   up.sh FOLDER      logs, pids, state and database lie in FOLDER; down.sh FOLDER ends what this started
#
# For a container: as root, without systemd and cgroups. Debian packages: slurm-wlm munge slurmdbd mariadb-server.
# /etc/slurm/slurm.conf becomes a link into FOLDER, since the steps of a job do not keep SLURM_CONF; a machine that
# has such a file is part of a cluster already and is left alone.
set -euo pipefail

ROOT=${1:?folder}
HOST=$(hostname -s)
NODES=2
CPUS=16  # of a node, whatever the machine has, so that jobs of any scale may start
GPUS=4
MEMORY=$(awk -v nodes=$NODES '/MemTotal/ {print int($2 / 1024 * 0.9 / nodes)}' /proc/meminfo)
PORT=13306  # of the database, on the loopback interface only
NODE_PORT=17000

if [[ -e /etc/slurm/slurm.conf ]]; then
  echo "/etc/slurm/slurm.conf exists: this machine has a Slurm of its own" >&2
  exit 1
fi
mkdir -p "$ROOT"/{etc,log,run,dev,mysql,spool/slurmctld} /etc/slurm
chmod 755 "$ROOT"

wait_for() {  # seconds, name, command...
  local tries=$(($1 * 10)) name=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ((tries-- <= 0)); then
      echo "timed out waiting for $name" >&2
      tail -n 20 "$ROOT"/log/*.log >&2
      exit 1
    fi
    sleep 0.1
  done
}

# Munge: the daemons' mutual trust.
install -d -o munge -g munge -m 755 /run/munge
install -d -o munge -g munge -m 700 /var/log/munge /var/lib/munge /etc/munge
if [[ ! -s /etc/munge/munge.key ]]; then
  (umask 077; head -c 128 /dev/urandom >/etc/munge/munge.key)
  chown munge:munge /etc/munge/munge.key
fi
if ! munge -n 2>/dev/null | unmunge >/dev/null 2>&1; then
  runuser -u munge -- /usr/sbin/munged --num-threads=2
  wait_for 10 munged bash -c 'munge -n | unmunge'
  cp /run/munge/munged.pid "$ROOT/run/munged.pid"
fi

# The database behind sacct.
SOCKET=$ROOT/run/mysqld.sock
mariadb-install-db --no-defaults --user=root --datadir="$ROOT/mysql" --auth-root-authentication-method=normal \
  --skip-test-db >"$ROOT/log/mariadb-install.log" 2>&1
mariadbd --no-defaults --user=root --datadir="$ROOT/mysql" --socket="$SOCKET" --bind-address=127.0.0.1 --port=$PORT \
  --pid-file="$ROOT/run/mysqld.pid" --innodb-buffer-pool-size=64M --innodb-log-file-size=16M \
  --innodb-lock-wait-timeout=900 --innodb-flush-log-at-trx-commit=0 </dev/null >"$ROOT/log/mariadb.log" 2>&1 &
wait_for 60 mariadb mariadb-admin --no-defaults --socket="$SOCKET" -u root ping
mariadb --no-defaults --socket="$SOCKET" -u root -e "
  CREATE DATABASE slurm_acct_db;
  CREATE USER 'slurm'@'127.0.0.1' IDENTIFIED BY 'slurm';
  CREATE USER 'slurm'@'localhost' IDENTIFIED BY 'slurm';
  GRANT ALL ON slurm_acct_db.* TO 'slurm'@'127.0.0.1';
  GRANT ALL ON slurm_acct_db.* TO 'slurm'@'localhost';"
(umask 077; cat >"$ROOT/etc/slurmdbd.conf" <<EOF
AuthType=auth/munge
DbdHost=localhost
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$PORT
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
LogFile=$ROOT/log/slurmdbd.log
PidFile=$ROOT/run/slurmdbd.pid
EOF
)

# slurmd wants a character device for a GPU: private copies of /dev/null.
for ((i = 0; i < GPUS; i++)); do
  mknod "$ROOT/dev/gpu$i" c 1 3
done
echo "NodeName=node[1-$NODES] Name=gpu File=$ROOT/dev/gpu[0-$((GPUS - 1))]" >"$ROOT/etc/gres.conf"
# Memory is polled, since there are no cgroups: a job above its --mem is killed and counted as OUT_OF_MEMORY.
cat >"$ROOT/etc/slurm.conf" <<EOF
ClusterName=sandbox
SlurmctldHost=$HOST(127.0.0.1)
AuthType=auth/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$ROOT/spool/slurmctld
SlurmdSpoolDir=$ROOT/spool/slurmd.%n
SlurmctldPidFile=$ROOT/run/slurmctld.pid
SlurmdPidFile=$ROOT/run/slurmd.%n.pid
SlurmctldLogFile=$ROOT/log/slurmctld.log
SlurmdLogFile=$ROOT/log/slurmd.%n.log
SlurmdParameters=config_overrides
SwitchType=switch/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=512
MinJobAge=600
KillWait=30
GresTypes=gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
NodeName=node[1-$NODES] NodeHostname=$HOST NodeAddr=127.0.0.1 Port=[$((NODE_PORT + 1))-$((NODE_PORT + NODES))] CPUs=$CPUS CoresPerSocket=$CPUS Sockets=1 ThreadsPerCore=1 RealMemory=$MEMORY Gres=gpu:$GPUS State=UNKNOWN
PartitionName=cpu Nodes=node[1-$NODES] Default=YES MaxTime=1-00:00:00 State=UP
PartitionName=gpu Nodes=node[1-$NODES] Default=NO MaxTime=2-00:00:00 State=UP
EOF
for file in slurm.conf gres.conf slurmdbd.conf; do
  ln -s "$ROOT/etc/$file" "/etc/slurm/$file"
done
slurmdbd
wait_for 60 slurmdbd sacctmgr -n show cluster
sacctmgr -i add cluster sandbox >/dev/null 2>&1 || true
sacctmgr -i add account lab Description=lab Organization=lab >/dev/null
sacctmgr -i add user "$(id -un)" Account=lab >/dev/null
slurmctld
wait_for 30 slurmctld bash -c 'scontrol ping | grep -q UP'
for ((i = 1; i <= NODES; i++)); do
  mkdir -p "$ROOT/spool/slurmd.node$i"
  slurmd -N "node$i"
done
wait_for 30 "idle nodes" bash -c "[[ \$(sinfo -h -N -p gpu -t idle -o %N | wc -l) == $NODES ]]"
sinfo -N -o '%N %T %c %m %G %P'
