#!/bin/bash
# A minor release of PostgreSQL can break extensions in one direction: what is compiled
# against its headers does not load into the server of the minor release before.
#
# Seen with Debian 12's PostgreSQL 15.20-0+deb12u1 (headers) and 15.18-0+deb12u1 (server),
# 2026-11-30:
#
#	FATAL/ERROR: could not load library ".../probe.so": undefined symbol: heap_datum_check
#
# Why: heap_getattr() is an inline function of access/htup_details.h.  In the newer minor
# release it calls a new function of the server, heap_datum_check(), so every extension that
# reads a column with it asks the server for that symbol.  The usual rule, "any minor release
# of a major one will do", holds for libraries that are older than the server, not for newer
# ones; the module's magic block, which is there to refuse what does not fit, only has the
# major version.  Who packages an extension builds it on the oldest minor release that it is
# to run on, or makes the package depend on the one that it was built with.
#
# Takes both versions from Debian's package archive (Debian 12; apt's own configuration says
# where), unpacks them into a temporary folder and installs nothing.  Needs gcc; run as root
# or as an ordinary user.  Fails when the library loads, or when one of the versions is gone.
set -euo pipefail

newer=15.20-0+deb12u1 older=15.18-0+deb12u1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 "$folder"

fetch() {
	apt-get download -qq "$1=$2" >/dev/null 2>&1 || {
		echo "$1 $2 is no longer in the archive: nothing can be said"
		exit 2
	}
	dpkg-deb -x "$1"_*.deb "$3"
	rm -f "$1"_*.deb
}
fetch postgresql-server-dev-15 $newer headers
fetch postgresql-15 $older server
fetch postgresql-client-15 $older server

cat >probe.c <<'C'
#include "postgres.h"
#include "access/htup_details.h"
#include "fmgr.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(first_column);

/* Reads a column of a row as any extension does. */
Datum
first_column(PG_FUNCTION_ARGS)
{
	HeapTuple	tuple = (HeapTuple) PG_GETARG_POINTER(0);
	bool		isnull;

	return heap_getattr(tuple, 1, (TupleDesc) PG_GETARG_POINTER(1), &isnull);
}
C
gcc -O2 -fPIC -shared -Iheaders/usr/include/postgresql/15/server -Iheaders/usr/include/postgresql/internal \
	-D_GNU_SOURCE probe.c -o probe.so

# the server refuses to run as root
as_user() {
	if [ "$(id -u)" = 0 ]; then
		chown -R nobody "$folder"
		setpriv --reuid nobody --regid nogroup --clear-groups -- env HOME="$folder" "$@"
	else
		"$@"
	fi
}
bin=$folder/server/usr/lib/postgresql/15/bin
as_user "$bin/initdb" -D "$folder/data" -U postgres -A trust -N --locale=C -L "$folder/server/usr/share/postgresql/15" >initdb.log 2>&1 ||
	{
		cat initdb.log
		exit 2
	}
as_user "$bin/postgres" --version
said=$(echo "LOAD '$folder/probe.so';" |
	as_user "$bin/postgres" --single -D "$folder/data" postgres 2>&1 | grep -o 'could not load library.*\|undefined symbol.*' | head -n 1 || true)
echo "headers $newer, server $older: ${said:-the library was loaded}"
case $said in
*'undefined symbol: heap_datum_check'*) echo "as described" ;;
*)
	echo "not as described any more"
	exit 1
	;;
esac
