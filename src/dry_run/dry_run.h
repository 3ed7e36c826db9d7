/*
 * dry_run.h
 *	  What the backend that has asked for a dry run must know of its answers.
 */
#ifndef BURROW_DRY_RUN_DRY_RUN_H
#define BURROW_DRY_RUN_DRY_RUN_H

#define BURROW_DRY_RUN_MAX		1000	/* messages */

/*
 * Answers come as in PostgreSQL's protocol, as those of parallel workers do: 'N' and 'E' are
 * a notice and the error that ended it, and these are ours.  An outcome is partition (int32),
 * offset (int64), handler_ms (float8), and six texts (int32 length, -1: NULL; bytes): topic,
 * sqlstate (NULL: ok), message, detail, hint, context.
 */
#define BURROW_DRY_RUN_OUTCOME	'D'
#define BURROW_DRY_RUN_END		'C'
#define BURROW_DRY_RUN_TEXTS	6

#endif							/* BURROW_DRY_RUN_DRY_RUN_H */
