# What scripts/setup, scripts/test and scripts/demo share; sourced, not run.
#
# Names that are set here and exported:
#   BURROW_ROOT    the checkout
#   BURROW_CACHE   what was fetched once and is used by every run
#   BURROW_PYTHON  the Python with hypothesis, pytest and confluent-kafka
#   BURROW_KAFKA   the folder with Apache Kafka's jars; BURROW_KAFKA_VERSION chooses another
#                  version than the one in test/kafka/pom.xml
#   BURROW_KAFKA_4 the same for a recent Kafka 4, for what older ones do not have
#   BURROW_PROMETHEUS the folder with the programs of Prometheus's Debian packages
#   BURROW_GRAFANA the folder with the npm packages that draw a dashboard as Grafana does
#   BURROW_KERBEROS the folder with Kerberos' programs of Debian packages: bin/krb5kdc, bin/kinit
#
# PostgreSQL's server refuses to run as root.  When the caller is root, what
# needs a server runs as the user "postgres", who may not be able to read the
# checkout or root's home: so everything happens in a work folder of that
# user's, and the cache is not below a home.

set -euo pipefail

BURROW_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

if [ "$(id -u)" = 0 ]; then
	BURROW_CACHE=${BURROW_CACHE:-/var/cache/burrow}
	test_user=${BURROW_TEST_USER:-postgres}
else
	BURROW_CACHE=${BURROW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/burrow}
	test_user=$(id -un)
fi

# The name of a cached folder tells what it was made from, so that a change of
# a version makes a new one and two checkouts do not disturb each other.
fingerprint() { sha256sum "$@" | cut -c1-64 | sha256sum | cut -c1-12; }
burrow_kafka_4_version=4.4.0
# kafka_folder VERSION: where its jars are, or will be; without a version, that in pom.xml
kafka_folder() { echo "$BURROW_CACHE/kafka-${1:+$1-}$(fingerprint "$BURROW_ROOT/test/kafka/pom.xml")"; }
BURROW_KAFKA=$(kafka_folder "${BURROW_KAFKA_VERSION:-}")
BURROW_KAFKA_4=$(kafka_folder $burrow_kafka_4_version)
BURROW_KERBEROS=$BURROW_CACHE/kerberos-$(. /etc/os-release 2>/dev/null && echo "$ID${VERSION_ID:-}" || true)
BURROW_PROMETHEUS=$BURROW_CACHE/prometheus-$(. /etc/os-release 2>/dev/null && echo "$ID${VERSION_ID:-}" || true)
BURROW_GRAFANA=$BURROW_CACHE/grafana-$(fingerprint "$BURROW_ROOT/test/dashboard/package.json")
burrow_venv=$BURROW_CACHE/python-$(fingerprint "$BURROW_ROOT/test/requirements.txt")
BURROW_PYTHON=$burrow_venv/bin/python
export BURROW_ROOT BURROW_CACHE BURROW_PYTHON BURROW_KAFKA BURROW_KAFKA_4 BURROW_PROMETHEUS BURROW_GRAFANA BURROW_KERBEROS

say() { printf '%s\n' "$*"; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "cannot run \"$*\": neither root nor sudo is at hand"
	fi
}

# Become a command that runs as the user that PostgreSQL runs as.  For one in the
# background, so that $! is its own pid: exec_as_tester COMMAND &
exec_as_tester() {
	exec 8>&- # the lock on the work folder ends with us, not with a server that stays
	if [ "$(id -u)" = 0 ]; then
		exec setpriv --reuid "$test_user" --regid "$(id -g "$test_user")" --init-groups -- "$@"
	else
		exec "$@"
	fi
}

# Run a command as that user.
as_tester() { (exec_as_tester "$@"); }

# Set "work" to a fresh folder of the test user's, with a short name: the path
# of a Unix socket has to fit into 107 bytes.  BURROW_WORK names one to be used
# again and kept, which saves most of the build.  It becomes the current folder: the
# caller's may be one that the test user must not enter, and programs complain of that.
make_work_folder() {
	if [ -n "${BURROW_WORK:-}" ]; then
		mkdir -p "$BURROW_WORK"
		exec 8>"$BURROW_WORK/.lock"
		flock -n 8 || die "another run uses \"$BURROW_WORK\""
		work=$(cd "$BURROW_WORK" && pwd)
	else
		work=$(mktemp -d "${TMPDIR:-/tmp}/burrow.XXXXXX")
	fi
	chmod 755 "$work"
	[ "$(id -u)" != 0 ] || chown "$test_user" "$work"
	cd "$work"
}

# Write the checkout to the output as a tar file, without what was built in it and without
# the repository.
pack_tree() {
	tar -C "$BURROW_ROOT" -c --exclude=./.git --exclude=./build --exclude=./tmp_check \
		--exclude=./results --exclude='*.o' --exclude='*.so' --exclude='*.bc' \
		--exclude='*.gcda' --exclude='*.gcno' --exclude=__pycache__ \
		--exclude=.hypothesis --exclude=.pytest_cache .
}

# Copy the checkout into $1.  Times are kept, so that make builds only what changed.
copy_tree() {
	local to=$1
	as_tester mkdir -p "$to"
	pack_tree | as_tester tar -C "$to" -x --no-same-owner
	# in a folder that is used again: what the checkout no longer has
	(cd "$to" && find . -path ./build -prune -o -type f -name '*.*' ! -name '*.[oad]' ! -name '*.so' ! -name '*.gc??' \
		! -name 'burrow--*' -print) | while IFS= read -r file; do
		[ -e "$BURROW_ROOT/$file" ] || rm -f "$to/$file"
	done
}

# The PostgreSQL to build and test with, as its own pg_config says.
find_postgres() {
	local config=${PG_CONFIG:-pg_config}
	command -v "$config" >/dev/null || die "no pg_config found: run scripts/setup, or set PG_CONFIG"
	PG_CONFIG=$("$config" --bindir)/pg_config
	[ -x "$PG_CONFIG" ] || PG_CONFIG=$config
	export PG_CONFIG
}

# Make a copy of the PostgreSQL installation in $1 and set "pg_private" to its
# pg_config.  The server finds its files relative to its own place, so the copy
# is complete: the extension can be installed into it by an ordinary user,
# two runs do not disturb each other, and the system's installation is left
# as it is.
copy_postgres() {
	local to=$1 bindir libdir sharedir
	bindir=$("$PG_CONFIG" --bindir) libdir=$("$PG_CONFIG" --pkglibdir) sharedir=$("$PG_CONFIG" --sharedir)
	# in a folder that is used again, the server may be another minor version by now
	if [ "$("$PG_CONFIG" --version)" != "$(cat "$to/.complete" 2>/dev/null)" ]; then
		rm -rf "$to"
		as_tester mkdir -p "$to$bindir" "$to$libdir" "$to$sharedir"
		as_tester cp -R "$bindir/." "$to$bindir"
		as_tester cp -R "$libdir/." "$to$libdir"
		as_tester cp -R "$sharedir/." "$to$sharedir"
		as_tester mkdir -p "$to$(dirname "$("$PG_CONFIG" --includedir-server)")"
		as_tester ln -sfn "$("$PG_CONFIG" --includedir-server)" "$to$("$PG_CONFIG" --includedir-server)"
		"$PG_CONFIG" --version | as_tester tee "$to/.complete" >/dev/null
	fi
	pg_private=$to$bindir/pg_config
	[ "$("$pg_private" --sharedir)" = "$to$sharedir" ] ||
		die "the copy of PostgreSQL in \"$to\" does not find its own files"
}

# End servers that still run when a run is ended early: by pid, and only what runs from
# the work folder.
end_left_overs() {
	local file pid
	find "$work" \( -name postmaster.pid -o -path '*/node-*/pid' \) 2>/dev/null | while read -r file; do
		pid=$(head -n 1 "$file")
		if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$work"; then
			kill -KILL "$pid" || true
		fi
	done
}
