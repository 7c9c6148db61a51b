# Sourced by the scripts beside it, with their folder in $here: sets $root and $venv, and `use_venv` makes
# the virtual environment when it is missing, incomplete, moved, or older than pyproject.toml.
# PORTSUP_PYTHON names another Python than the newest one found, with an environment of its own.
#
# A second start costs shell builtins only: no Python, no subshell.

case $here in
  /*/scripts/.) root=${here%/scripts/.} ;;
  scripts/.) root=$PWD ;;
  *) root=$(cd "$here/.." && pwd) ;;
esac
venv=$root/.venv
if [ -n "${PORTSUP_PYTHON-}" ]; then
  venv=${PORTSUP_PYTHON##*/}
  venv=$root/.venv-${venv#python}
fi

# use_venv STAMP: what STAMP stands for: .installed, or .installed-GROUP for a group of pyproject.toml too.
use_venv() {
  is_complete "$1" && return
  echo "portsup: setting up ${venv##*/} (once)…" >&2
  one_at_a_time set_up "$1" || exit 1
}

is_complete() {
  [ "$venv/$1" -nt "$root/pyproject.toml" ] && works "$1"
}

# A stamp is written last, so an interrupted set-up has none. It names the folder that it was made
# in: an environment that was moved or copied would run the code of the old place.
works() {
  [ -x "$venv/bin/python" ] && [ -e "$venv/$1" ] && read -r made_in <"$venv/$1" && [ "$made_in" -ef "$venv" ]
}

# one_at_a_time COMMAND…: first starts side by side make one set-up.
one_at_a_time() {
  if command -v flock >/dev/null; then
    (flock 9 && "$@" 9<&-) 9<"$root/scripts/venv.sh"
  else
    (
      until mkdir "$venv.lock" 2>/dev/null; do sleep 0.2; done
      trap 'rmdir "$venv.lock"' EXIT
      trap 'exit 130' INT
      trap 'exit 143' TERM
      "$@"
    )
  fi
}

set_up() {
  ! is_complete "$1" || return 0
  works .installed || { find_python && quietly "$python" -m venv --clear "$venv"; } || return
  rm -f "$venv/.installed" "$venv/$1"
  if [ "$1" = .installed ]; then
    install -e "$root[web,mcp,tui]" || return
  else
    install 'pip>=25.1' && install -e "$root[all]" --group "$root/pyproject.toml:${1#.installed-}" || return
    echo "$venv" >"$venv/$1"
  fi
  echo "$venv" >"$venv/.installed"
}

install() {
  output=$("$venv/bin/python" -m pip install --disable-pip-version-check --upgrade "$@" 2>&1) && return
  echo "portsup: cannot set up ${venv##*/}: this needs the package index once. pip says:" >&2
  printf '%s\n' "$output" >&2
  return 1
}

quietly() {
  output=$("$@" 2>&1) && return
  printf '%s\n' "$output" >&2
  echo "portsup: cannot set up ${venv##*/}: $* failed" >&2
  return 1
}

# find_python: sets $python to the first one that is new enough and can make virtual environments.
find_python() {
  if [ -n "${PORTSUP_PYTHON-}" ]; then
    set -- "$PORTSUP_PYTHON"
  else
    set -- python3.13 python3.12 python3.11 python3
  fi
  lacks_venv=
  for python; do
    is_new_enough || continue
    makes_venvs && return
    lacks_venv=$python
  done
  if [ -z "$lacks_venv" ]; then
    echo "portsup: needs Python 3.11 or newer; none of these is: $*" >&2
    return 1
  fi
  python=$lacks_venv
  package=${python##*/}-venv
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "portsup: installing $package with apt-get: $python cannot make environments alone" >&2
    quietly apt-get update -q && quietly apt-get install -qy "$package" && makes_venvs && return
  fi
  echo "portsup: $python cannot make a virtual environment: apt install $package" >&2
  return 1
}

is_new_enough() {
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

makes_venvs() {
  "$python" -c 'import venv, ensurepip' 2>/dev/null
}
