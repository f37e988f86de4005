#!/bin/sh
# Measures everything that docs/performance.md shows, beside other WebGPU libraries and PyTorch, then writes the page.
# It takes about 7 minutes on two idle cores. Other work on the machine shows in the spreads.
#
#     scripts/performance.sh [NAME]     NAME of the files under results/bench; llvmpipe when absent
#
# PyTorch is left out if $PYTHON, by default /usr/bin/python3, has no torch. scripts/peer_pytorch.py says how to install it.
set -eu
cd -- "$(dirname -- "$0")/.."
name=${1:-llvmpipe}
python=${PYTHON:-/usr/bin/python3}

# The large shapes are for GPUs; software adapters leave them out.
./ponder bench --suite headline,large,steps --peers --rounds 5 --out results/bench --name "$name"
# This runs in a process of its own, whose peak memory is then that of this step.
./ponder bench --only "PPO minibatch mini" --rounds 3 --out results/bench --name "$name-mini"
if "$python" -c 'import torch; torch.cuda.init()' 2>/dev/null; then
  "$python" scripts/peer_pytorch.py --device cuda --warm-up 2 --rounds 20 --threads 1 --ours "results/bench/$name.json" \
    --out "results/bench/$name-pytorch.json"
elif "$python" -c 'import torch' 2>/dev/null; then
  "$python" scripts/peer_pytorch.py --ours "results/bench/$name.json" --out "results/bench/$name-pytorch.json"
else
  echo "Left out PyTorch: $python cannot import torch" >&2
fi
./ponder bench --report
