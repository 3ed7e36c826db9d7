/*
 * health.h
 *	  Can consumers run in this server?
 */
#ifndef BURROW_EXPORTER_HEALTH_H
#define BURROW_EXPORTER_HEALTH_H

/* NULL: nothing is in the way of starting them. */
extern const char *burrow_health_trouble(void);

#endif							/* BURROW_EXPORTER_HEALTH_H */
