#!/bin/bash
# dsa_allocate_extended(area, size, DSA_ALLOC_NO_OOM) of PostgreSQL raises an error all the same
# when the operating system refuses a new segment; it does not return InvalidDsaPointer.
#
# Seen with Debian 12's PostgreSQL 15.20-0+deb12u1, 2026-11-30, with
# dynamic_shared_memory_type = mmap and a folder pg_dynshmem that cannot be written (a full disk or
# a full /dev/shm does the same):
#
#	ERROR:  could not open shared memory segment "pg_dynshmem/mmap.…": Permission denied
#
# Why: utils/dsa.h says of the flag "no failure if out-of-memory".  It covers what the area itself
# runs out of: its size limit, its slots for segments.  A new segment is made by dsm_create() with
# DSM_CREATE_NULL_IF_MAXSEGMENTS, which returns NULL for one reason only, too many segments; where the
# segment cannot be created, opened or resized, dsm_create() raises.  Who must go on without the
# memory needs PG_TRY around the call, whatever the flag.
#
# Takes PostgreSQL from Debian's package archive (Debian 12; apt's own configuration says where),
# unpacks it into a temporary folder and installs nothing.  Needs gcc; run as root or as an ordinary
# user.  Fails when the call returns, or when the version is gone.
set -euo pipefail

version=15.20-0+deb12u1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 "$folder"

for package in postgresql-15 postgresql-client-15 postgresql-server-dev-15; do
	apt-get download -qq "$package=$version" >/dev/null 2>&1 ||
		{
			echo "$package $version is no longer in the archive: nothing can be said"
			exit 2
		}
	dpkg-deb -x "$package"_*.deb unpacked
	rm -f "$package"_*.deb
done

cat >probe.c <<'C'
#include "postgres.h"
#include "fmgr.h"
#include "storage/lwlock.h"
#include "utils/dsa.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(allocate);

/* Asks for so many bytes more than the first segment has, with DSA_ALLOC_NO_OOM; tells whether there were any. */
Datum
allocate(PG_FUNCTION_ARGS)
{
	static dsa_area *area;
	dsa_pointer p;

	if (area == NULL)
	{
		area = dsa_create(LWLockNewTrancheId());
		dsa_pin_mapping(area);
	}
	p = dsa_allocate_extended(area, PG_GETARG_INT32(0), DSA_ALLOC_NO_OOM | DSA_ALLOC_HUGE);
	PG_RETURN_BOOL(DsaPointerIsValid(p));
}
C
gcc -O2 -fPIC -shared -Iunpacked/usr/include/postgresql/15/server -D_GNU_SOURCE probe.c -o probe.so

# the server refuses to run as root, and root may write everywhere
as_user() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid nobody --regid nogroup --clear-groups -- env HOME="$folder" "$@"
	else
		"$@"
	fi
}
[ "$(id -u)" != 0 ] || chown -R nobody "$folder"
bin=$folder/unpacked/usr/lib/postgresql/15/bin
as_user "$bin/initdb" -D "$folder/data" -U postgres -A trust -N --locale=C -L "$folder/unpacked/usr/share/postgresql/15" >initdb.log 2>&1 ||
	{
		cat initdb.log
		exit 2
	}
as_user "$bin/pg_ctl" -D "$folder/data" -w -l "$folder/log" \
	-o "-c dynamic_shared_memory_type=mmap -c listen_addresses= -c unix_socket_directories=$folder" start >/dev/null
trap 'as_user "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null; rm -rf "$folder"' EXIT
as_user "$bin/postgres" --version
said=$(
	as_user "$bin/psql" -X -h "$folder" -U postgres -At 2>&1 <<SQL
CREATE FUNCTION allocate(int) RETURNS bool LANGUAGE c STRICT AS '$folder/probe.so';
SELECT allocate(1000);
\! chmod 500 "$folder/data/pg_dynshmem"
SELECT allocate(100000000);
SQL
)
as_user chmod 700 "$folder/data/pg_dynshmem"
echo "$said" | sed "s#mmap\.[0-9]*#mmap.N#"
case $said in
*'ERROR:  could not '*'shared memory segment'*) echo "as described" ;;
*)
	echo "not as described any more"
	exit 1
	;;
esac
