/*
 * status_page.h
 *	  The page for people.
 */
#ifndef BURROW_EXPORTER_STATUS_PAGE_H
#define BURROW_EXPORTER_STATUS_PAGE_H

#include "lib/stringinfo.h"

/* The whole document; its style and its script carry the nonce. */
extern void burrow_status_page_write(StringInfo out, const char *nonce);

#endif							/* BURROW_EXPORTER_STATUS_PAGE_H */
