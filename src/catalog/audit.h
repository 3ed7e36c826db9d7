/*
 * audit.h
 *	  Who has changed which subscription, when, and how (burrow.audit_entry).
 *
 * Process: backends and workers, in a transaction with an active snapshot.
 */
#ifndef BURROW_CATALOG_AUDIT_H
#define BURROW_CATALOG_AUDIT_H

#include "lib/stringinfo.h"

/* An entry under construction: its details, a JSON object. */
typedef struct BurrowAudit
{
	StringInfoData details;
} BurrowAudit;

extern void burrow_audit_begin(BurrowAudit *audit);

/* No message's contents, and no secret, may be among the values.  NULL: null. */
extern void burrow_audit_add_text(BurrowAudit *audit, const char *name, const char *value);
extern void burrow_audit_add_number(BurrowAudit *audit, const char *name, int64 value);

/* Nothing, if the two are equal; both may be NULL. */
extern void burrow_audit_add_change(BurrowAudit *audit, const char *name, const char *before, const char *after);

/*
 * Writes the entry in the current transaction, removes some that are older than burrow.audit_retention,
 * and logs it.  To be called when the change is made.
 */
extern void burrow_audit_end(BurrowAudit *audit, const char *action, int32 subid, const char *subscription, Oid owner);

#endif							/* BURROW_CATALOG_AUDIT_H */
