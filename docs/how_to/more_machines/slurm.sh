#!/bin/bash
# Workers as a Slurm array. Start nats-server and the learner on a node that all can reach, then:
#   NATS=nats://node1:4222 sbatch docs/how_to/more_machines/slurm.sh
# Each task works until the run is over. A task that the scheduler takes away gives its job to another one.
#SBATCH --job-name=ponder-worker
#SBATCH --array=1-16
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --gres=gpu:1
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@60
set -euo pipefail
: "${NATS:?say which server: NATS=nats://host:4222}"
cd "${PONDER:-$SLURM_SUBMIT_DIR}"
# The first signal lets a worker finish its job.
exec ./ponder worker --nats "$NATS" --name "${SLURMD_NODENAME:-node}-$SLURM_ARRAY_TASK_ID" --once
