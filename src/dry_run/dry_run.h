/*
 * dry_run.h
 *	  What the backend that has asked for a dry run must know of its answers.
 */
#ifndef BURROW_DRY_RUN_DRY_RUN_H
#define BURROW_DRY_RUN_DRY_RUN_H

#define BURROW_DRY_RUN_MAX		1000	/* messages */

/*
 * An answer (runtime/answer.h) is an outcome: partition (int32), offset (int64), handler_ms (float8), and
 * six texts: topic, sqlstate (NULL: ok), message, detail, hint, context.
 */
#define BURROW_DRY_RUN_TEXTS	6

#endif							/* BURROW_DRY_RUN_DRY_RUN_H */
