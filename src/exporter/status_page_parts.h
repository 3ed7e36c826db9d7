/*
 * status_page_parts.h
 *	  What of the page for people is always the same.
 */
#ifndef BURROW_EXPORTER_STATUS_PAGE_PARTS_H
#define BURROW_EXPORTER_STATUS_PAGE_PARTS_H

extern const char burrow_status_page_icon[];	/* the URL of itself, for an attribute */
extern const char burrow_status_page_style[];
extern const char burrow_status_page_script[];

#endif							/* BURROW_EXPORTER_STATUS_PAGE_PARTS_H */
