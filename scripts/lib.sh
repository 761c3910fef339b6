# shellcheck shell=bash
# shellcheck disable=SC2034 # read by the scripts that source this
# Sourced by the scripts beside it: places, words on the terminal, and the Go that we build with.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${PLUMB_CACHE:-$HOME/.cache/plumbline}
BIN=$CACHE/bin
CLUSTERS=${PLUMB_CLUSTERS:-$CACHE/clusters}
JOBS=${PLUMB_JOBS:-$(nproc)}

if [ -t 1 ]; then BOLD=$'\e[1m' RED=$'\e[31m' PLAIN=$'\e[0m'; else BOLD='' RED='' PLAIN=''; fi

say() { printf '%s\n' "$*"; }
step() { printf '%s== %s%s\n' "$BOLD" "$*" "$PLAIN"; }
fail() {
  printf '%serror: %s%s\n' "$RED" "$*" "$PLAIN" >&2
  exit 1
}

now_ms() { date +%s%3N; }

# seconds_since <now_ms value>: "12.3 s"
seconds_since() {
  local ms=$(($(now_ms) - $1))
  printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}

# show_help: the comment block at the top of the calling script.
show_help() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"; }

# quietly <label> <log> <command>…: output into the log; one line now, and one every ten seconds while it
# runs; the end of the log when it fails.
quietly() {
  local label=$1 log=$2 start waited=0 pid
  shift 2
  mkdir -p "$(dirname "$log")"
  start=$(now_ms)
  "$@" >"$log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    waited=$((waited + 1))
    if [ $((waited % 50)) = 0 ]; then say "  $label: $((waited / 5)) s so far: $(tail -n 1 "$log" | cut -c 1-90)"; fi
  done
  if wait "$pid"; then
    say "  $label: $(seconds_since "$start")"
    return 0
  fi
  tail -n 30 "$log" | sed 's/^/    /'
  fail "$label failed; all of its output is in $log"
}

# The Go of the machine if it is new enough, else the one that setup installed.
MIN_GO=1.26
find_go() {
  local candidate have
  for candidate in "$(command -v go || true)" /usr/local/go/bin/go "$CACHE/go-venv/bin/go"; do
    if [ -z "$candidate" ] || ! [ -x "$candidate" ]; then continue; fi
    have=$(cd / && GOTOOLCHAIN=local "$candidate" env GOVERSION 2>/dev/null | sed 's/^go//; s/[^0-9.].*//') || continue
    if [ -n "$have" ] && [ "$(printf '%s\n%s\n' "$MIN_GO" "$have" | sort -V | head -n 1)" = "$MIN_GO" ]; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}
use_go() {
  GO=$(find_go) || fail "there is no Go $MIN_GO or newer here: run scripts/setup"
  # Its own bin, not the folder that it was found in: a virtual environment's python must not come with it.
  export PATH="$(cd / && GOTOOLCHAIN=local "$GO" env GOROOT)/bin:$PATH" GOTOOLCHAIN=local
}

# build_folder <preset>: inside the sources, so that every copy has its own and ccache, which sees paths from
# the root of the copy, finds in a fresh clone what another one compiled.
build_folder() { printf '%s\n' "$ROOT/build/$1"; }
