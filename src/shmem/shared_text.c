/*
 * shared_text.c
 *	  Texts of bounded length in shared memory, for the views.
 *
 * Runs in: the launcher and consumers.  The launcher, which is in no database, writes ASCII only.
 * Locking: that of the text; raises no error.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "compat.h"
#include "shmem/shared_text.h"

void
burrow_shared_text_copy(char *to, size_t size, const char *from)
{
	int			len = burrow_clip_length(from, (int) strlen(from), (int) size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
	if (pg_verify_mbstr(GetDatabaseEncoding(), to, len, true))
		return;
	for (char *p = to; *p != '\0'; p++)
	{
		if (IS_HIGHBIT_SET(*p))
			*p = '?';
	}
}
