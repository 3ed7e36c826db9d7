/*
 * history_graph.h
 *	  A line of the last minutes, for the page for people.
 */
#ifndef BURROW_EXPORTER_HISTORY_GRAPH_H
#define BURROW_EXPORTER_HISTORY_GRAPH_H

#include "lib/stringinfo.h"

/*
 * Values that are as far apart as each other, the oldest first; below 0: not known, a gap.  It begins at 0, and its
 * greatest value is at the top.  The title says what the line is; it is what is read aloud.  Nothing, if none is known.
 */
extern void burrow_history_graph_write(StringInfo out, const char *title, const double *values, int n);

#endif							/* BURROW_EXPORTER_HISTORY_GRAPH_H */
