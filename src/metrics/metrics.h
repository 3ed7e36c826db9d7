/*
 * metrics.h
 *	  All metrics as the text that Prometheus reads.
 */
#ifndef BURROW_METRICS_METRICS_H
#define BURROW_METRICS_METRICS_H

#include "lib/stringinfo.h"

typedef struct BurrowMetricsRequest
{
	Oid			dboid;			/* of this database's subscriptions; InvalidOid: of all */
	bool		(*may_see) (Oid owner); /* NULL: all */
	bool		openmetrics;	/* OpenMetrics 1.0; otherwise Prometheus's text format, 0.0.4 */
	bool		partitions;		/* each partition by itself, too */
} BurrowMetricsRequest;

/* Appends the text, in UTF-8.  Process: any; needs no database. */
extern void burrow_metrics_write(StringInfo out, const BurrowMetricsRequest *request);

#endif							/* BURROW_METRICS_METRICS_H */
