#!/usr/bin/env bash
# Trains a language model on several nodes: sbatch Examples/slurm-pretrain.sh [RECIPE [FOLDER]]
#
# One rank per node, with all its processors. The repository and the folder of the run are on a file system that all
# nodes see. Submitted again, it goes on from the checkpoint, on any number of nodes: sbatch --nodes=4 …
#SBATCH --job-name=looped
#SBATCH --nodes=8
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --time=12:00:00
# Two minutes before the time is over, to this script, whose place srun or mpirun takes in the last line and tells all ranks:
# they stop after the same step, and the first writes the checkpoint. Before that: scancel --batch --signal=USR1 JOB
#SBATCH --signal=B:USR1@120
set -euo pipefail
recipe=${1:-Recipes/Pretraining/king-james-bible.yaml}
folder=${2:-runs/slurm}
# Slurm runs a copy of this file; it was submitted from the repository.
cd "$SLURM_SUBMIT_DIR"

# Built once, before there are ranks: a second call finds it done.
LOOPED_MPI=1 ./looped --help >/dev/null

# The communication thread sleeps while it waits: every processor computes.
export LOOPED_THREADS=$SLURM_CPUS_PER_TASK

arguments=(pretrain "$recipe" -o "$folder")
if [ -e "$folder/checkpoint.safetensors" ]; then arguments=(pretrain --resume "$folder"); fi
# srun starts the ranks, and PMIx tells them of each other. Where Slurm cannot do that (srun --mpi=pmix true says why), Open
# MPI's own mpirun starts them.
start=(srun --mpi=pmix --cpu-bind=none)
if ! srun --mpi=pmix true 2>/dev/null; then start=(mpirun --map-by ppr:1:node --bind-to none); fi
exec "${start[@]}" .build-mpi/release/looped "${arguments[@]}"
