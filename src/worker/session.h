/*
 * session.h
 *	  What an error may owe to the session that it was met in.
 */
#ifndef BURROW_WORKER_SESSION_H
#define BURROW_WORKER_SESSION_H

/* A transaction has just begun, in which the handler will be called. */
extern void burrow_session_begin_transaction(void);
/* Nothing that the session keeps can be out of date. */
extern bool burrow_session_is_fresh(void);
/* Its transactions begin read-only. */
extern bool burrow_session_is_read_only(void);

#endif							/* BURROW_WORKER_SESSION_H */
