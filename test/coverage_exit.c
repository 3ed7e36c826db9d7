/*
 * coverage_exit.c
 *	  Linked into both libraries of a coverage build: a process that leaves by
 *	  _exit() writes its counts, too.
 *
 * The consumer leaves that way, because librdkafka's threads may still run.  gcov
 * keeps its counts per library; each registers its own writer in one table, which
 * both see as the same symbol.
 */
#include <stddef.h>
#include <unistd.h>

extern void __gcov_dump(void);
extern void __real__exit(int code) __attribute__((noreturn));
void		__wrap__exit(int code) __attribute__((noreturn));

__attribute__((visibility("default"))) void (*burrow_coverage_writers[4]) (void);

static void
write_counts(void)
{
	__gcov_dump();
}

__attribute__((constructor)) static void
register_writer(void)
{
	int			i = 0;

	while (burrow_coverage_writers[i] != NULL)
		i++;
	burrow_coverage_writers[i] = write_counts;
}

void
__wrap__exit(int code)
{
	for (int i = 0; burrow_coverage_writers[i] != NULL; i++)
		burrow_coverage_writers[i] ();
	__real__exit(code);
}
