#!/bin/bash
# mitoscope on SLURM: sbatch slurm.sh. Slides, results and the environment lie on storage that all nodes share.
#SBATCH --job-name=mitoscope
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=12:00:00
set -euo pipefail

source /shared/mitoscope/bin/activate
# Only who has this secret, in a home folder that all nodes share, can use the cluster.
export RAY_AUTH_MODE=token
ray get-auth-token --generate > /dev/null
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address="$(srun --nodes=1 --ntasks=1 -w "$head" hostname --ip-address | awk '{print $1}'):6379"

srun --nodes=1 --ntasks=1 -w "$head" \
  ray start --head --port=6379 --num-cpus="$SLURM_CPUS_PER_TASK" --block &
until ray status --address "$address" > /dev/null 2>&1; do sleep 2; done
if (( SLURM_JOB_NUM_NODES > 1 )); then
  srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --exclude="$head" \
    ray start --address "$address" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
fi

# A job that ran out of time goes on when it is submitted again.
mitoscope detect --slides-from /shared/slides.csv --out /shared/results --cluster "$address"
