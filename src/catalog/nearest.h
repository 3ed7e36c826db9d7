/*
 * nearest.h
 *	  "Perhaps you meant ...": the candidate that is most like a misspelt word.
 */
#ifndef BURROW_CATALOG_NEAREST_H
#define BURROW_CATALOG_NEAREST_H

typedef struct BurrowNearest
{
	const char *word;
	const char *best;			/* the caller's; NULL: none is near enough */
	int			distance;		/* of best; before that the largest that is near */
} BurrowNearest;

extern void burrow_nearest_init(BurrowNearest *nearest, const char *word);
extern void burrow_nearest_offer(BurrowNearest *nearest, const char *candidate);

#endif							/* BURROW_CATALOG_NEAREST_H */
