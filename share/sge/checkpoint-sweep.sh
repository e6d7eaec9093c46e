#!/bin/bash
# The trials of a sweep as an array of Grid Engine, one trial a task, and a job that collects them:
#   qsub -N sweep -t 1-40 -tc 20 checkpoint-sweep.sh plan.h5 results
#   qsub -hold_jid sweep -b y -cwd checkpoint sweep collect results --plan plan.h5 -o sweep.h5
#$ -cwd
#$ -V
#$ -S /bin/bash
#$ -notify
#$ -r y
# Told that its time is up (USR1, USR2) a task saves its state and ends by USR1 (128 + 10); status 99 has Grid Engine queue it again.
set -u
plan=$1 results=$2
shift 2
checkpoint sweep run "$plan" --results "$results" --index "$SGE_TASK_ID" "$@" &
child=$!
trap 'kill -USR1 $child' USR1 USR2 TERM
status=138
while kill -0 $child 2>/dev/null; do wait $child; status=$?; done
[ $status -eq 138 ] && exit 99
exit $status
