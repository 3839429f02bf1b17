# SPDX-License-Identifier: BSD-3-Clause
# For tests that kill ranks, to be sourced before they change their folder.
# ranks_of NAME: the processes of $program, started here, that were given NAME, the folder or file of a run: its ranks.
ranks_of() {
  local process
  for process in /proc/[0-9]*; do
    [[ $(readlink "$process/exe" 2>/dev/null) == "$(readlink -f "$program")" ]] || continue
    [[ $(readlink "$process/cwd" 2>/dev/null) == "$(pwd -P)" ]] || continue
    tr '\0' '\n' 2>/dev/null <"$process/cmdline" | grep -qxF "$1" && echo "${process#/proc/}"
  done
}
