/*
 * nearest.c
 *	  "Perhaps you meant ...": the candidate that is most like a misspelt word.
 *
 * Core has the same from version 16 on (ClosestMatchState); the limits are its.
 */
#include "postgres.h"

#include "utils/varlena.h"

#include "catalog/nearest.h"

/* A word that differs in more letters is another word. */
#define MAX_DISTANCE	4

/* varstr_levenshtein() takes no more characters */
#define MAX_LENGTH		255

void
burrow_nearest_init(BurrowNearest *nearest, const char *word)
{
	size_t		length = strlen(word);

	nearest->word = length <= MAX_LENGTH ? word : NULL;
	nearest->best = NULL;
	nearest->distance = Min(MAX_DISTANCE, (int) Min(length, MAX_LENGTH) / 2);
}

void
burrow_nearest_offer(BurrowNearest *nearest, const char *candidate)
{
	int			length = (int) strlen(candidate);
	int			limit = nearest->distance;
	int			distance;

	/* the first of equals wins */
	if (nearest->best != NULL)
		limit--;
	if (nearest->word == NULL || length > MAX_LENGTH || limit < 0)
		return;
	distance = varstr_levenshtein_less_equal(nearest->word, (int) strlen(nearest->word),
											 candidate, length, 1, 1, 1, limit, true);
	if (distance <= limit)
	{
		nearest->best = candidate;
		nearest->distance = distance;
	}
}
