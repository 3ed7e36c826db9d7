/*
 * owner_hooks.h
 *	  What becomes of subscriptions when roles are dropped and give away what they own.
 */
#ifndef BURROW_LAUNCHER_OWNER_HOOKS_H
#define BURROW_LAUNCHER_OWNER_HOOKS_H

/* From _PG_init. */
extern void burrow_owner_hooks_install(void);

#endif							/* BURROW_LAUNCHER_OWNER_HOOKS_H */
