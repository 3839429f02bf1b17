#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# grid.sh CASE PROGRAM FOLDER LAUNCHER: one test of grids, in a folder of its own. Exit code 77: it cannot run here.
set -u
case_name=$1 program=$2 folder=$3 launcher=$4
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1

fail() {
  echo "FAILED: $*"
  for file in output *.log; do [[ -r $file ]] && sed "s|^|$file: |" "$file"; done
  exit 1
}
# run CODE ARGUMENTS: the program's output goes to the file output, its exit code must be CODE.
run() {
  local expected=$1 code
  shift
  "$program" "$@" >output 2>&1
  code=$?
  ((code == expected)) || fail "exit code $code, expected $expected: $*"
}
has() { grep -qF -- "$1" "${2:-output}" || fail "'$1' is not in ${2:-output}"; }
has_not() { ! grep -qF -- "$1" "${2:-output}" || fail "'$1' is in ${2:-output}"; }
status() { grep -qE "^$1 +[0-9]+ +$2" output || fail "the status of $1 is not '$2'"; }
final_psnr() { tail -n 1 "$1/metrics.csv" | cut -d, -f2; }

small='dataset:
  - highres_color_image: {image_size: 64, num_operators: 3}
'
three_rows="$small"'solver:
  - PnP:
      denoiser: tv
      slurm_ntasks_per_node: [1, 2]
      n_iter: 3
  - DPIR: {denoiser: tv, n_iter: 2}
'

case $case_name in
runs_and_resumes)
  echo "$three_rows" >grid.yml
  run 0 --config grid.yml --out out
  for row in pnp-tv-1-rank pnp-tv-2-ranks dpir-tv-1-rank; do
    status "$row" "done "
    for file in summary.json metrics.csv reconstruction.png command.txt configuration.yml output.txt; do
      [[ -s out/$row/$file ]] || fail "out/$row/$file was not written"
    done
  done
  [[ -s out/report.html ]] || fail "no report"
  has "-n 2 " out/pnp-tv-2-ranks/command.txt
  [[ -s out/pnp-tv-2-ranks/rank_1.csv ]] || fail "the second row had one rank"

  # Again: nothing runs.
  cp -r out before
  run 0 --config grid.yml --out out
  status pnp-tv-2-ranks "done before"
  cmp -s out/dpir-tv-1-rank/output.txt before/dpir-tv-1-rank/output.txt || fail "a finished row ran again"

  # Other settings: the rows they touch run again, and the older result stays.
  run 0 --config grid.yml --out out --num-operators 2 --quiet
  status pnp-tv-1-rank "done "
  has_not "done before"
  has '"num_operators": 2' out/pnp-tv-1-rank/summary.json
  has '"num_operators": 3' out/pnp-tv-1-rank/summary.previous.json

  # A damaged result does not count.
  echo '{"completed": true, "argu' >out/pnp-tv-1-rank/summary.json
  run 0 --config grid.yml --out out --num-operators 2 --quiet
  status pnp-tv-1-rank "done "
  status pnp-tv-2-ranks "done before"

  # By hand: the row's command and the row's configuration give the row's picture.
  cp out/pnp-tv-2-ranks/reconstruction.png by_grid.png
  bash out/pnp-tv-2-ranks/command.txt >by_hand.log 2>&1 || fail "command.txt does not run"
  cmp -s out/pnp-tv-2-ranks/reconstruction.png by_grid.png || fail "command.txt gives another picture"
  run 0 --config out/pnp-tv-2-ranks/configuration.yml --out again
  cmp -s again/pnp-tv-2-ranks/reconstruction.png by_grid.png || fail "configuration.yml gives another picture"
  ;;

published)
  # The published file as it stands, on 1, 2 and 4 tasks: the same quality to 0.01 dB.
  run 0 --config configs/highres_imaging.yml --max-image-size 192 --out out
  (($(grep -c "no usable GPU" output) == 1)) || fail "the lack of GPUs is not said exactly once"
  reference=$(final_psnr out/pnp-drunet-1-rank)
  for row in pnp-drunet-2-ranks pnp-drunet-4-ranks; do
    psnr=$(final_psnr out/$row)
    awk -v a="$reference" -v b="$psnr" 'BEGIN { d = a - b; exit !(a > 10 && d < 0.01 && d > -0.01) }' ||
      fail "$row has $psnr dB, one rank $reference dB"
  done
  ;;

simulated_3d)
  # The published file of scan_reconstruction: its tiles, and a small volume, the same on any number of ranks.
  run 0 --config configs/simulated_3d.yml --max-image-size 256 --out out --dry-run
  has "32 tiles"
  has "12x288x288 pixels"
  has "work: 1.898 pixels"
  run 0 --config configs/simulated_3d.yml --max-image-size 32 --patch-size 8x16x32 --iterations 2 --threads 1 --out out
  reference=$(final_psnr out/noisy_volume-pnp-2-ranks)
  for row in noisy_volume-pnp-4-ranks noisy_volume-pnp-8-ranks; do
    awk -v a="$reference" -v b="$(final_psnr out/$row)" 'BEGIN { d = a - b; exit !(a > 25 && d < 0.001 && d > -0.001) }' ||
      fail "$row has $(final_psnr out/$row) dB, two ranks $reference dB"
  done
  [[ -s out/report.html ]] || fail "no report"
  ;;

dry_run)
  echo "$three_rows" | sed 's/image_size: 64/image_size: 96/' >grid.yml
  run 0 --config grid.yml --out out --dry-run
  has "[2/3] pnp-tv-2-ranks: 2 ranks on cpu"
  has "2 tiles"
  has "the whole image, 60x96, on every rank"
  has "$launcher -n 2 $program --problem highres_blur --image-size 96 --num-operators 3"
  [[ ! -e out ]] || fail "a dry run wrote something"
  # Every file that a row names must be there: told with row and key.
  mkdir folder.png
  echo 'dataset:
  - highres_color_image: {image_size: 64, image: [no_such.png, folder.png]}
solver:
  - PnP: {denoiser: tv}' >files.yml
  run 1 --config files.yml --out out --dry-run
  has "[1/2] pnp-tv-1-rank-image"
  has "would fail: files.yml:2:51: image: no_such.png: cannot be read: No such file or directory"
  has "would fail: files.yml:2:64: image: folder.png: cannot be read: is a folder"
  for option in --truth --measurements --weights; do
    run 1 --config grid.yml --out out --dry-run $option /no/such/file
    has "would fail: $option: /no/such/file: cannot be read: No such file or directory"
  done
  run 1 --config grid.yml --out out --dry-run --submit slurm --parallel-config no_such.yml
  has "no_such.yml: cannot be read"
  [[ ! -e out ]] || fail "a dry run wrote something"
  ;;

changed_files)
  # A row is done for the files as they were: another photograph, truth or network under the same name runs again.
  echo "$small"'solver:
  - PnP: {denoiser: tv, n_iter: 2}' >grid.yml
  run 0 --config grid.yml --out first --save-npy --quiet
  row=pnp-tv-1-rank
  for option in image truth measurements; do
    cp first/$row/reconstruction.png image && cp first/$row/truth.npy truth && cp first/$row/measurements.npy measurements
    run 0 --config grid.yml --out out_$option --quiet --$option $option
    run 0 --config grid.yml --out out_$option --quiet --$option $option
    status $row "done before"
    touch $option
    run 0 --config grid.yml --out out_$option --quiet --$option $option
    status $row "done before"
    case $option in
    image) cp first/$row/preview.png image ;;
    truth) cp first/$row/x.npy truth ;;
    *) printf '\x55' | dd of=$option bs=1 seek=$(($(stat -c %s $option) - 4)) conv=notrunc status=none ;;
    esac
    run 0 --config grid.yml --out out_$option --quiet --$option $option
    status $row "done "
    has_not "done before"
    has "the file of --$option has other contents"
    [[ -s out_$option/$row/summary.previous.json ]] || fail "the earlier result of --$option was lost"
    run 0 --config grid.yml --out out_$option --quiet --$option $option
    status $row "done before"
  done
  # A summary of an older program says nothing of its files; one without a finite PSNR is none.
  sed -i 's/"inputs"/"files"/' out_image/$row/summary.json
  run 0 --config grid.yml --out out_image --quiet --image image
  has "it does not say what its files contained"
  sed -i 's/"psnr": [0-9.]*/"psnr": null/' out_image/$row/summary.json
  run 0 --config grid.yml --out out_image --quiet --image image
  has "it diverged or has no finite PSNR"
  status $row "done "
  # What cannot be read cannot be compared.
  rm image
  run 1 --config grid.yml --out out_image --quiet --image image
  status $row "failed .*--image: image: cannot be read: No such file or directory"
  ;;

odd_names)
  # Names of files come back as they were, or are refused at once.
  echo "$small"'solver:
  - PnP: {denoiser: tv, n_iter: 2}' >grid.yml
  run 0 --config grid.yml --out first --quiet
  name=$'it\'s "50%" $x; \\ \xc3\xa9.png'
  cp first/pnp-tv-1-rank/reconstruction.png "$name"
  run 0 --config grid.yml --out "out $name" --quiet --image "$name"
  run 0 --config grid.yml --out "out $name" --quiet --image "$name"
  status pnp-tv-1-rank "done before"
  bash "out $name/pnp-tv-1-rank/command.txt" >by_hand.log 2>&1 || fail "command.txt does not run"
  run 0 --config "out $name/pnp-tv-1-rank/configuration.yml" --out again --quiet
  for name in $'a\nb.png' $'\xff.png' $'\e[2J.png'; do
    cp first/pnp-tv-1-rank/reconstruction.png "$name"
    run 1 --config grid.yml --out refused --image "$name"
    has "highres_deblurring: "
    has "--image: expected one line of UTF-8"
    run 1 --config grid.yml --out "$name"
    has "--out: expected one line of UTF-8"
    (($(wc -l <output) == 1)) || fail "more than a sentence"
  done
  printf 'dataset:\n  - highres_color_image: {image: "a\\nb.png"}\nsolver: [PnP]\n' >newline.yml
  run 1 --config newline.yml --out refused
  has "newline.yml:2:34: image: expected one line of UTF-8"
  printf 'dataset:\n  - highres_color_image: {image: \xff.png}\nsolver: [PnP]\n' >bytes.yml
  run 1 --config bytes.yml --out refused
  has "bytes.yml:2:34: the byte 0xff is no UTF-8"
  [[ ! -e refused ]] || fail "something was written"
  ;;

diverging_row)
  # A row that ends not finite has failed, also the next time.
  echo "$small"'solver:
  - PnP: {denoiser: tv, prior: red, step_size: 1e38, n_iter: 2}
  - PnP: {denoiser: tv, n_iter: 2}' >grid.yml
  for i in 1 2; do
    run 1 --config grid.yml --out out --quiet
    grep -qE "^red-tv-1-rank +1 +failed +exit code 1: .*(finite|step)" output || fail "not failed with its reason"
  done
  status pnp-tv-1-rank "done before"
  ;;

failing_row)
  # dncnn has no installed weights; 999 ranks are too many; the others run.
  echo "$small"'solver:
  - PnP: {denoiser: [tv, dncnn], n_iter: 2}
  - PnP: {denoiser: tv, n_iter: 2, slurm_ntasks_per_node: 999}
  - DPIR: {denoiser: tv, n_iter: 2}' >grid.yml
  run 1 --config grid.yml --out out
  status pnp-tv-1-rank "done "
  status pnp-dncnn-1-rank "failed .*--denoiser dncnn: no weights are installed for it"
  status pnp-tv-999-ranks "skipped .*needs 999 ranks"
  status dpir-tv-1-rank "done "
  run 1 --config grid.yml --out out
  status dpir-tv-1-rank "done before"
  run 1 --config grid.yml --out out2 --weights /no/such/weights.safetensors --denoiser drunet
  has "/no/such/weights.safetensors"
  # A program that cannot be started.
  run 1 --config grid.yml --out out3 --denoiser tv --mpiexec /no/such/mpiexec
  status dpir-tv-1-rank "failed .*cannot be started"
  ;;

refuses)
  echo "$three_rows" >good.yml
  echo 'dataset: [highres_color_image
solver: {' >malformed.yml
  run 1 --config malformed.yml --out out
  has "highres_deblurring: malformed.yml:2:"
  has "not YAML"
  echo "$small"'solver:
  - PnP:
      slurm_gres, slurm_ntasks_per_node: [["gpu:1", 1], ["gpu:4", 2]]' >impossible.yml
  run 1 --config impossible.yml --out out
  has "impossible.yml:5:58: slurm_gres gpu:4 and slurm_ntasks_per_node 2 do not fit"
  echo "$small"'solver:
  - PnP: {denoiser: tv, overlap: [8, -8]}' >negative.yml
  run 1 --config negative.yml --out out
  has "negative.yml:4:38: overlap, row 2 of the grid: --overlap: is -8, expected zero or more"
  run 1 --config no_such.yml --out out
  has "no_such.yml: cannot be read"
  [[ ! -e out ]] || fail "something was written"
  touch plain_file
  run 1 --config good.yml --out plain_file/out
  has "highres_deblurring: --out plain_file/out: cannot be created"
  (($(wc -l <output) <= 4)) || fail "more than a sentence"
  "$launcher" -n 2 "$program" --config good.yml --out out >output 2>&1 && fail "a grid ran under mpiexec"
  (($(grep -c "run it without mpiexec" output) == 1)) || fail "not said exactly once"
  run 107 --dry-run
  has "--dry-run requires --config"
  # Empty names are refused before anything is done.
  for option in --image --truth --measurements --weights --out --config --parallel-config; do
    "$program" --config good.yml --submit slurm --out out "$option" "" >output 2>&1
    code=$?
    ((code > 0 && code < 128)) || fail "exit code $code: $option ''"
    has "$option"
    (($(wc -l <output) <= 3)) || fail "more than a sentence"
  done
  ;;

full_disk)
  # Small results first, then a disk without room.
  mkdir disk
  mount -t tmpfs -o size=40m tmpfs disk 2>/dev/null || exit 77
  trap 'umount "$folder/disk"' EXIT
  echo "$three_rows" >grid.yml
  run 0 --config grid.yml --out disk/out --quiet
  cp disk/out/pnp-tv-1-rank/summary.json first.json || fail "the first runs left nothing"
  head -c 60M /dev/zero >disk/filler 2>/dev/null
  sed 's/image_size: 64/image_size: 128/' grid.yml >larger.yml
  run 1 --config larger.yml --out disk/out2 --quiet
  grep -q "No space left on device" output || fail "the reason is not named"
  cmp -s disk/out/pnp-tv-1-rank/summary.json first.json || fail "an earlier result was damaged"
  rm disk/filler
  run 0 --config grid.yml --out disk/out --quiet
  status pnp-tv-1-rank "done before"
  ;;

killed)
  # The driver is killed as soon as the first row is done; what it started ends, and the grid goes on.
  echo "$three_rows" | sed 's/image_size: 64/image_size: 128/; s/n_iter: 3/n_iter: 10/' >grid.yml
  "$program" --config grid.yml --out out >first.log 2>&1 &
  driver=$!
  for ((i = 0; i < 600; i++)); do
    [[ -e out/pnp-tv-1-rank/summary.json ]] && break
    sleep 0.05
  done
  kill -9 $driver || fail "the driver had ended already"
  wait $driver 2>/dev/null
  [[ ! -e out/dpir-tv-1-rank/summary.json ]] || fail "the driver had run all rows already"
  run 0 --config grid.yml --out out
  status pnp-tv-1-rank "done before"
  status pnp-tv-2-ranks "done "
  status dpir-tv-1-rank "done "
  # Two at once in one folder: the second one refuses.
  "$program" --config grid.yml --out out --seed 1 >second.log 2>&1 &
  driver=$!
  for ((i = 0; i < 200; i++)); do
    [[ -e out/pnp-tv-1-rank/summary.previous.json ]] && break
    sleep 0.05
  done
  run 1 --config grid.yml --out out --seed 1
  has "another run or grid is at work"
  (($(grep -c highres_deblurring: output) == 1)) || fail "more than one sentence"
  wait $driver || fail "the first one failed"
  ;;

slurm)
  # A cluster of three shell scripts: jobs wait until run_jobs runs them.
  mkdir bin
  cat >bin/sbatch <<'END'
#!/usr/bin/env bash
[[ $1 == --parsable && -r $2 ]] || exit 2
grep -q "account=wrong" "$2" && { echo "sbatch: error: Invalid account" >&2; exit 1; }
job=$((100 + $(ls -d "$CLUSTER"/job.* 2>/dev/null | wc -l)))
cp "$2" "$CLUSTER/job.$job"
echo "$job;cluster"
END
  cat >bin/squeue <<'END'
#!/usr/bin/env bash
job=${2#--jobs=}
[[ -e $CLUSTER/done.$job ]] || echo "$job pending"
END
  cat >bin/srun <<'END'
#!/usr/bin/env bash
exec "$LAUNCHER" -n "$TASKS" "$@"
END
  chmod +x bin/*
  export CLUSTER=$folder LAUNCHER=$launcher PATH=$folder/bin:$PATH
  echo "$three_rows" >grid.yml
  echo 'backend: submitit
slurm_time: 20
slurm_additional_parameters:
  cpus-per-task: 1
  account: ours
slurm_setup:
  - export SET_UP=yes
  - echo "set up $SET_UP"' >parallel.yml
  submit=(--config grid.yml --out out --submit slurm --parallel-config parallel.yml)
  run 0 "${submit[@]}" --dry-run
  has "#SBATCH --ntasks-per-node=2"
  [[ ! -e job.100 ]] || fail "a dry run submitted something"
  run 0 "${submit[@]}"
  status pnp-tv-1-rank "submitted .*job 100"
  status dpir-tv-1-rank "submitted .*job 102"
  has "#SBATCH --account=ours" job.101
  run 0 "${submit[@]}"
  status pnp-tv-2-ranks "queued .*job 101"
  [[ ! -e job.103 ]] || fail "a queued row was submitted again"
  for job in 100 101 102; do
    TASKS=$(sed -n 's/^#SBATCH --ntasks-per-node=//p' job.$job) bash job.$job >job.$job.log 2>&1 ||
      fail "job $job failed"
    has "set up yes" job.$job.log
    touch done.$job
  done
  run 0 "${submit[@]}"
  status pnp-tv-2-ranks "done before"
  [[ -s out/pnp-tv-2-ranks/rank_1.csv && -s out/report.html ]] || fail "results are missing"
  # Nothing but the set-up and the launcher is shell; nothing is submitted that sbatch would misread.
  cp parallel.yml odd.yml
  sed -i 's/account: ours/comment: "two words --nodes=99 $(touch pwned) #1"/' odd.yml
  odd='out $(touch pwned) #1'
  run 0 --config grid.yml --out "$odd" --submit slurm --parallel-config odd.yml
  has '#SBATCH --comment="two words --nodes=99 $(touch pwned) \#1"' "$odd/pnp-tv-1-rank/job.sh"
  has ' \#1/pnp-tv-1-rank/output.txt"' "$odd/pnp-tv-1-rank/job.sh"
  TASKS=1 bash "$odd/pnp-tv-1-rank/job.sh" >odd.log 2>&1 || fail "the script does not run"
  [[ ! -e pwned ]] || fail "a name of a file was run"
  for wrong in 'cpus-per-task: 10x' 'cpus-per-task: -4' 'cpus-per-task: 99999999999' 'comment: "a\n#SBATCH --nodes=9"'; do
    sed "s/cpus-per-task: 1/${wrong//\\/\\\\}/" parallel.yml >wrong.yml
    run 1 --config grid.yml --out refused --submit slurm --parallel-config wrong.yml
    has "highres_deblurring: wrong.yml:4:"
  done
  sed 's/slurm_time: 20/slurm_time: soon/' parallel.yml >wrong.yml
  run 1 --config grid.yml --out refused --submit slurm --parallel-config wrong.yml
  has "wrong.yml:2:13: slurm_time: expected minutes"
  run 1 --config grid.yml --out $'refused\ntouch pwned' --submit slurm --parallel-config parallel.yml
  has "--out: expected one line of UTF-8"
  [[ ! -e refused ]] || fail "something was written"
  sed -i 's/ours/wrong/' parallel.yml
  run 1 "${submit[@]}" --seed 7
  status pnp-tv-1-rank "failed .*Invalid account"
  ;;

*) fail "no such case: $case_name" ;;
esac
echo passed
