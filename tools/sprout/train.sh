#!/bin/bash
# train.sh PART [SECONDS] - one stretch of sprout's training on a machine with GPUs.
#
# PART: trial, 1, 2, ... or last (any number may be followed by SECONDS, its whole length).
# MINUTES is the training time planned for all parts together. $OUT receives the log, a
# snapshot of all weights in pieces, and after the last part the exported model.
# A part continues the checkpoint in $DIR, or the snapshot in CARRY/snapshot, else starts anew.
set -u
start=$(date +%s)
part=${1:?part}
seconds=${2:-560}
cd "$(dirname "$0")/../.." || exit 1
OUT=${OUT:-/tmp/sprout-out}
CARRY=${CARRY:-$PWD/.carry}
DIR=${DIR:-/tmp/sprout}
MINUTES=${MINUTES:-24}
MB=${MB:-32}
export OUT PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=4
export MASTER_ADDR=127.0.0.1 GLOO_SOCKET_IFNAME=lo NCCL_SOCKET_IFNAME=lo
export NCCL_NVLS_ENABLE=0 TORCH_SYMM_MEM_DISABLE_MULTICAST=1 NVSHMEM_DISABLE_NVLS=1
export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True PYTORCH_ALLOC_CONF=expandable_segments:True
export TORCHINDUCTOR_CACHE_DIR=${TORCHINDUCTOR_CACHE_DIR:-/tmp/sprout-inductor} TORCHINDUCTOR_COMPILE_THREADS=8
mkdir -p "$OUT" "$DIR"
until=$((start + seconds))

# The bank travels packed; every worker maps the unpacked file.
if [ -f "$CARRY/bank.bin.xz" ] && [ ! -s "$CARRY/bank.bin" ]; then
    "${PYTHON:-python3}" - "$CARRY" <<'PY' || rm -f "$CARRY/bank.bin" "$CARRY/bank.tmp"
import lzma, os, shutil, sys
p = sys.argv[1] + "/bank."
with lzma.open(p + "bin.xz") as f, open(p + "tmp", "wb") as g:
    shutil.copyfileobj(f, g, 1 << 22)
os.replace(p + "tmp", p + "bin")
PY
fi

if [ -f "$CARRY/assets.tar.xz" ] && [ ! -d "$CARRY/assets" ]; then
    tar -C "$CARRY" -xJf "$CARRY/assets.tar.xz" || "${PYTHON:-python3}" -c 'import sys, tarfile
tarfile.open(sys.argv[1] + "/assets.tar.xz").extractall(sys.argv[1])' "$CARRY"
fi

gpus=${GPUS:-$("${PYTHON:-python3}" -c 'import torch; print(torch.cuda.device_count())')}
extra=()
case $part in
trial) extra=(--trial --dir /tmp/sprout-trial) ;;
last) extra=(--last --dir "$DIR") ;;
*) extra=(--dir "$DIR") ;;
esac
echo "part $part: $gpus GPUs, $(nproc) cores, until $seconds s, $(free -g | awk '/Mem/ {print $2}') GiB seen"

# run OPTIONS...: one process a GPU; when one fails the others are ended. Stopped
# hard shortly before the end of the call.
run() {
    local left=$((until - $(date +%s) - 2)) r rc=0 pids=() port=$((29500 + RANDOM % 400))
    [ "$left" -gt 20 ] || return 0
    for ((r = 0; r < gpus; r++)); do
        RANK=$r LOCAL_RANK=$r WORLD_SIZE=$gpus LOCAL_WORLD_SIZE=$gpus MASTER_PORT=$port \
            timeout -k 5 "$left" "${PYTHON:-python3}" tools/sprout/train.py --carry "$CARRY" --out "$OUT" --minutes "$MINUTES" \
            --mb "$MB" --until "$((until - 6))" "${extra[@]}" ${TRAIN_ARGS:-} "$@" &
        pids+=($!)
    done
    local open=("${pids[@]}") rest pid
    while [ ${#open[@]} -gt 0 ] && [ $rc -eq 0 ]; do
        sleep 0.5
        rest=()
        for pid in "${open[@]}"; do
            if kill -0 "$pid" 2>/dev/null; then
                rest+=("$pid")
            else
                wait "$pid"
                r=$?
                [ $r -eq 0 ] || rc=$r
            fi
        done
        open=("${rest[@]}")
    done
    if [ ${#open[@]} -gt 0 ]; then
        kill "${open[@]}" 2>/dev/null
        sleep 2
        kill -9 "${open[@]}" 2>/dev/null
    fi
    wait "${pids[@]}" 2>/dev/null
    return $rc
}

run
rc=$?
if [ $rc -ne 0 ] && [ $rc -ne 124 ]; then
    echo "attempt 1 ended with $rc; again without compilation"
    run --no-compile
    rc=$?
fi
if [ $rc -ne 0 ] && [ $rc -ne 124 ] && [ "$gpus" -gt 1 ]; then
    echo "attempt 2 ended with $rc; again on one GPU"
    gpus=1
    run --no-compile --attention default
    rc=$?
fi
if [ "$part" != trial ] && [ ! -e "$OUT/snapshot/state.json" ] && [ -s "$DIR/ckpt.pt" ]; then
    # killed before its end: the last checkpoint comes back instead
    (cd tools/sprout && timeout 25 ${PYTHON:-python3} export.py --checkpoint "$DIR" --out "$OUT")
fi
echo "part $part over, rc $rc, $(($(date +%s) - start)) s"
ls -l "$OUT" "$OUT/snapshot" 2>/dev/null
exit $rc
