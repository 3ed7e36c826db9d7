/*
 * dynamic.h
 *	  Dynamic shared memory that there may be none of.
 */
#ifndef BURROW_SHMEM_DYNAMIC_H
#define BURROW_SHMEM_DYNAMIC_H

/*
 * Calls make(arg), which asks for dynamic shared memory.  NULL: it is done.  Otherwise why not: the
 * error's message, in the current memory context, and nothing of it is left.  What is to
 * stay has to be pinned.  Locks: caller holds none.
 */
extern const char *burrow_dynamic_try(void (*make) (void *arg), void *arg);

#endif							/* BURROW_SHMEM_DYNAMIC_H */
