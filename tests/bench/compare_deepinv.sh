#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The published loop by deepinv and by tessera, in turn on this machine: seconds per iteration, peak
# memory, and how far the two pictures are apart.
#
#   compare_deepinv.sh PYTHON HARNESS EXAMPLE IMAGE [SIZE] [RANKS] [ITERATIONS] [ROUNDS]
#
# PYTHON    a Python that has deepinv, torch, numpy and pillow
# HARNESS   a program with the commands
#             make-weights --out FILE
#             run --image --size --weights --ranks --iterations --out FOLDER
#           whose run writes FOLDER/run.json ({"rows": [{"gradient_s", "denoise_s"}], "peak_rss_mb"}),
#           truth.npy, measurements.npy and x.npy: operators, noise and steps as the example's published preset
# EXAMPLE   the program highres_deblurring
# WEIGHTS in the environment: a .pth file instead of random weights. OPTIONS: more options of the example, as
# --problem multiframe_superres for a harness of that problem.
set -eu
if [ $# -lt 4 ]; then
  sed -n '2,16s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
python=$1 harness=$2 example=$3 image=$4
size=${5:-512} ranks=${6:-1} iterations=${7:-3} rounds=${8:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
weights=${WEIGHTS:-$work/weights.pth}
[ -f "$weights" ] || "$python" "$harness" make-weights --out "$weights" >/dev/null

launch=
[ "$ranks" -eq 1 ] || launch="mpiexec -n $ranks"
round=1
while [ "$round" -le "$rounds" ]; do
  "$python" "$harness" run --image "$image" --size "$size" --weights "$weights" --ranks "$ranks" \
    --iterations "$iterations" --out "$work/deepinv$round" >/dev/null
  # shellcheck disable=SC2086
  $launch "$example" --preset published ${OPTIONS:-} --truth "$work/deepinv$round/truth.npy" --image-size "$size" \
    --measurements "$work/deepinv$round/measurements.npy" --weights "$weights" --iterations "$iterations" \
    --quiet --no-report --save-npy --out "$work/ours$round" >/dev/null
  round=$((round + 1))
done

"$python" - "$work" "$rounds" "$size" "$ranks" <<'PROGRAM'
import csv, json, statistics, sys

import numpy as np

work, rounds, size, ranks = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
deepinv, ours = {"gradient": [], "denoiser": []}, {"gradient": [], "denoiser": []}
for i in range(1, rounds + 1):
    run = json.load(open(f"{work}/deepinv{i}/run.json"))
    rows = list(csv.DictReader(open(f"{work}/ours{i}/metrics.csv")))
    first = 1 if len(rows) > 1 else 0  # the first iteration prepares what later ones use
    deepinv["gradient"] += [row["gradient_s"] for row in run["rows"][first:]]
    deepinv["denoiser"] += [row["denoise_s"] for row in run["rows"][first:]]
    ours["gradient"] += [float(row["gradient_time_sec"]) for row in rows[first:]]
    ours["denoiser"] += [float(row["denoise_time_sec"]) for row in rows[first:]]
result = {"size": int(size), "ranks": int(ranks)}
for part in ("gradient", "denoiser"):
    a, b = statistics.median(deepinv[part]), statistics.median(ours[part])
    result[part] = {"deepinv_s": round(a, 4), "ours_s": round(b, 4), "ratio": round(a / b, 2)}
a, b = (np.load(f"{work}/{who}{rounds}/x.npy").astype(float) for who in ("deepinv", "ours"))
result["peak_mb"] = {"deepinv": round(run["peak_rss_mb"]), "ours": round(float(rows[-1]["rss_peak_mb"]))}
result["relative_difference"] = float(np.linalg.norm(a - b) / np.linalg.norm(a))
print(json.dumps(result, indent=1))
PROGRAM
