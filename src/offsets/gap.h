/*
 * gap.h
 *	  What is said when a topic does not hold what comes next.
 */
#ifndef BURROW_OFFSETS_GAP_H
#define BURROW_OFFSETS_GAP_H

#include "shmem/registry.h"
#include "catalog/subscription.h"

#define BURROW_HINT_SEEK	"Use burrow.seek() to say where to go on."

/* The topic does not hold what comes next. */
extern BurrowHalt burrow_gap_halt(const char *topic, int32 partition, int64 position, const char *detail);
/* What a log holds, as a sentence. */
extern const char *burrow_gap_bounds_text(int64 low, int64 end);

#endif							/* BURROW_OFFSETS_GAP_H */
