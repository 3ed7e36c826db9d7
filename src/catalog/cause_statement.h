/*
 * cause_statement.h
 *	  What to run next, where Kafka does not serve a subscription.
 */
#ifndef BURROW_CATALOG_CAUSE_STATEMENT_H
#define BURROW_CATALOG_CAUSE_STATEMENT_H

#include "catalog/subscription.h"
#include "core/kafka_cause.h"

/* In the current memory context. */
extern char *burrow_cause_statement(const BurrowSubscription *sub, BurrowKafkaCause cause);

#endif							/* BURROW_CATALOG_CAUSE_STATEMENT_H */
