/*
 * guc.h
 *	  Burrow's settings: sizes of shared memory and switches for the server.
 *	  What belongs to one subscription is an option in the catalog.
 */
#ifndef BURROW_GUC_H
#define BURROW_GUC_H

extern int	burrow_max_subscriptions;	/* postmaster; slots */
extern int	burrow_max_workers; /* postmaster; worker slots of all subscriptions */
extern int	burrow_max_partitions;	/* postmaster; partition slots of all subscriptions */
extern bool burrow_enabled;		/* sighup; false: no consumer runs */
extern char *burrow_bootstrap_servers;	/* sighup; "host:port,..." or "" */
extern char *burrow_default_server; /* suset; a foreign server's name or "": see catalog/server.h */
extern int	burrow_worker_queue_size;	/* sighup; kB */
extern int	burrow_max_receive_message_bytes;	/* sighup; bytes, cap of receive.message.max.bytes */
extern int	burrow_max_subscriptions_per_role;	/* suset; -1: no ceiling */
extern int	burrow_max_workers_per_subscription;	/* sighup; -1: no ceiling */
extern int	burrow_max_workers_per_role;	/* sighup; -1: no ceiling */
extern int	burrow_max_looks_per_role;	/* suset; -1: no ceiling */
extern int	burrow_max_memory_per_subscription; /* suset; kB, -1: no ceiling */
extern int	burrow_max_options_size;	/* suset; kB */
extern char *burrow_metrics_listen; /* sighup; core/listen_address.h, "": nowhere */
extern char *burrow_metrics_token_file; /* sighup; path or "" */
extern char *burrow_metrics_tls_cert_file;	/* the same */
extern char *burrow_metrics_tls_key_file;	/* the same */
extern bool burrow_has_exporter;	/* it was to listen when the server started; constant */
extern bool burrow_metrics_per_partition;	/* sighup; metrics of each partition by itself */
/* seconds; -1: for ever, 0: nothing is written */
extern int	burrow_audit_retention;
extern int	burrow_stalled_after;	/* sighup; seconds, 0: never; see consumer/watchdog.h */
extern char *burrow_traceparent;	/* userset; of the message in hand, or "": see runtime/trace.h */
extern char *burrow_tracestate; /* the same */

extern void burrow_guc_define(void);

#endif							/* BURROW_GUC_H */
