# Burrow: a Kafka consumer inside PostgreSQL.
#
# Three shared libraries: burrow (preloaded by the postmaster), burrow_kafka
# (librdkafka and what speaks to it; loaded only by the consumer process and by
# backends that check properties), and burrow_exporter (libmicrohttpd and what speaks to
# it; loaded by the exporter only), which is made where libmicrohttpd is installed.  See src/README.md.

EXTENSION = burrow
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(srcdir)/burrow.control)
MODULE_big = burrow

CORE_OBJS = \
	src/core/breaker.o \
	src/core/fair_share.o \
	src/core/frame.o \
	src/core/histogram.o \
	src/core/kafka_cause.o \
	src/core/kafka_time.o \
	src/core/letter_headers.o \
	src/core/listen_address.o \
	src/core/offset_metadata.o \
	src/core/offset_set.o \
	src/core/parking.o \
	src/core/policy.o \
	src/core/progress_row.o \
	src/core/scheduler.o \
	src/core/scheduler_heap.o \
	src/core/scheduler_orders.o \
	src/core/session_budget.o \
	src/core/sizer.o \
	src/core/sizes.o \
	src/core/sqlstate_class.o \
	src/core/start_position.o \
	src/core/topic_id.o \
	src/core/topic_pattern.o \
	src/core/trace_context.o \
	src/core/tracker.o \
	src/core/watchdog.o

OBJS = $(CORE_OBJS) \
	src/burrow.o \
	src/guc.o \
	src/shmem/database_lockout.o \
	src/shmem/dynamic.o \
	src/shmem/groups.o \
	src/shmem/history.o \
	src/shmem/partitions.o \
	src/shmem/registry.o \
	src/shmem/shared_text.o \
	src/shmem/server_changes.o \
	src/shmem/session_settings.o \
	src/shmem/subscription_slots.o \
	src/shmem/transport.o \
	src/shmem/trouble_kinds.o \
	src/shmem/troubles.o \
	src/shmem/call_places.o \
	src/shmem/wait_events.o \
	src/shmem/worker_share.o \
	src/shmem/worker_slots.o \
	src/catalog/access.o \
	src/catalog/audit.o \
	src/catalog/citus.o \
	src/catalog/cause_statement.o \
	src/catalog/dead_letter.o \
	src/catalog/done_set.o \
	src/catalog/encoding.o \
	src/catalog/identity.o \
	src/catalog/names.o \
	src/catalog/nearest.o \
	src/catalog/interval_text.o \
	src/catalog/kafka_properties.o \
	src/catalog/option.o \
	src/catalog/owner.o \
	src/catalog/owner_dependency.o \
	src/catalog/options.o \
	src/catalog/position.o \
	src/catalog/progress.o \
	src/catalog/progress_columns.o \
	src/catalog/seek_request.o \
	src/catalog/server.o \
	src/catalog/sqlstates.o \
	src/catalog/size_text.o \
	src/catalog/start_from.o \
	src/catalog/subscription.o \
	src/catalog/unit_text.o \
	src/metrics/metrics.o \
	src/metrics/snapshot.o \
	src/consumer/assignment.o \
	src/exporter/exporter.o \
	src/exporter/health.o \
	src/exporter/history_graph.o \
	src/exporter/html.o \
	src/exporter/listener.o \
	src/exporter/pages.o \
	src/exporter/status_page.o \
	src/exporter/status_page_parts.o \
	src/runtime/answer.o \
	src/runtime/bgw.o \
	src/handler/cancel.o \
	src/handler/distributed.o \
	src/worker/chunk.o \
	src/worker/chunk_context.o \
	src/worker/chunk_frame.o \
	src/worker/permission.o \
	src/worker/session.o \
	src/offsets/commit_room.o \
	src/offsets/commit_silence.o \
	src/offsets/offset_commit.o \
	src/consumer/client_watch.o \
	src/consumer/commit_answer.o \
	src/consumer/connection.o \
	src/consumer/consumer.o \
	src/offsets/topic_watch.o \
	src/consumer/fetch_trouble.o \
	src/partition/named_partitions.o \
	src/offsets/topic_identity.o \
	src/offsets/durability.o \
	src/launcher/database_hooks.o \
	src/launcher/databases.o \
	src/launcher/discovery.o \
	src/dry_run/fetch.o \
	src/dry_run/dry_run.o \
	src/first_look/access_check.o \
	src/first_look/check.o \
	src/first_look/first_look.o \
	src/first_look/look.o \
	src/first_look/peek.o \
	src/first_look/probe.o \
	src/first_look/step.o \
	src/first_look/topics.o \
	src/first_look/visit.o \
	src/consumer/shutdown.o \
	src/consumer/watchdog.o \
	src/offsets/gap.o \
	src/offsets/lag.o \
	src/offsets/lookup.o \
	src/delivery/dispatch.o \
	src/delivery/failure.o \
	src/offsets/positions.o \
	src/offsets/progress_merge.o \
	src/handler/handler.o \
	src/handler/array_builder.o \
	src/handler/handler_arrays.o \
	src/handler/handler_lookup.o \
	src/handler/handler_message.o \
	src/handler/handler_values.o \
	src/consumer/intake.o \
	src/runtime/kafka_client.o \
	src/runtime/kafka_library.o \
	src/runtime/resting_state.o \
	src/runtime/trace.o \
	src/runtime/transaction.o \
	src/launcher/launcher.o \
	src/launcher/owner_hooks.o \
	src/offsets/start.o \
	src/offsets/start_choice.o \
	src/partition/end.o \
	src/partition/history_step.o \
	src/partition/message.o \
	src/dead_letter/publisher.o \
	src/dead_letter/key_parking.o \
	src/dead_letter/letter_count.o \
	src/partition/obstacle.o \
	src/partition/old_worker.o \
	src/partition/message_error.o \
	src/partition/partition.o \
	src/partition/question.o \
	src/partition/segment.o \
	src/partition/status.o \
	src/partition/turn.o \
	src/delivery/pool.o \
	src/delivery/reclaim.o \
	src/dead_letter/redelivery.o \
	src/dead_letter/writer.o \
	src/delivery/results.o \
	src/delivery/retry.o \
	src/delivery/rights.o \
	src/delivery/share.o \
	src/offsets/seek.o \
	src/worker/worker.o \
	src/api/alter.o \
	src/api/asked.o \
	src/api/call.o \
	src/api/ceilings.o \
	src/api/check_schema.o \
	src/api/consumer_group.o \
	src/api/dry_run.o \
	src/api/first_look.o \
	src/api/guard.o \
	src/api/kafka_properties.o \
	src/api/dead_letters.o \
	src/api/metrics.o \
	src/api/offset_runs.o \
	src/api/option_views.o \
	src/api/other_nodes.o \
	src/api/owner_trigger.o \
	src/api/role.o \
	src/api/row.o \
	src/api/seek.o \
	src/api/stats_reset.o \
	src/api/server_options.o \
	src/api/subscribe.o \
	src/api/update_script.o \
	src/api/views.o \
	src/api/wait.o \
	src/api/why_stuck.o

KAFKA_OBJS = \
	src/kafka/asker.o \
	src/kafka/certificate.o \
	src/kafka/client.o \
	src/kafka/conf.o \
	src/kafka/conf_check.o \
	src/kafka/error.o \
	src/kafka/events.o \
	src/kafka/functions.o \
	src/kafka/handle.o \
	src/kafka/handshake.o \
	src/kafka/hang_up.o \
	src/kafka/left_out.o \
	src/kafka/list.o \
	src/kafka/lookup.o \
	src/kafka/names.o \
	src/kafka/out_of_reach.o \
	src/kafka/partition.o \
	src/kafka/peek.o \
	src/kafka/pem.o \
	src/kafka/producer.o \
	src/kafka/query.o \
	src/kafka/text.o \
	src/kafka/tls.o \
	src/kafka/visitor.o \
	src/kafka/topic_id.o

# What the second library needs of the core: it must not look for it in the first.
KAFKA_CORE_OBJS = \
	src/core/kafka_cause.o \
	src/core/topic_id.o \
	src/core/topic_pattern.o

HTTP_OBJS = \
	src/http/functions.o \
	src/http/server.o

# The versions before, from which ALTER EXTENSION UPDATE leads here.
UPDATES = 0.1.0
DATA_built = sql/burrow--$(EXTVERSION).sql $(UPDATES:%=sql/burrow--%--$(EXTVERSION).sql)
REGRESS = install handler options subscribe subscribe_errors alter_errors privileges views offset_runs servers other_nodes
ISOLATION = alter_unsubscribe dead_letters drop_extension state subscribe_twice
EXTRA_CLEAN = burrow_kafka.so burrow_exporter.so $(KAFKA_OBJS) $(HTTP_OBJS) $(DATA_built)

PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS = -std=gnu11 -Wextra -Wno-unused-parameter -Wno-missing-field-initializers \
	-Wno-sign-compare -Wno-declaration-after-statement
# Nobody replaces a function of a module that PostgreSQL loads, so those of one file may be inlined in it.
# (Since 16 PostgreSQL hides them, and it makes no difference.)
PG_CFLAGS += -fno-semantic-interposition

# A warning that a later compiler has thought of must not stop a user's build; ours it does.
ifdef WERROR
PG_CFLAGS += -Werror
endif

# For the tests: crash points (src/runtime/crash_point.h), and the core's assertions
# (src/core/check.h).
ifdef TESTING
PG_CPPFLAGS += -DBURROW_TESTING -DBURROW_CORE_CHECKS
endif

# The library is loaded once and lives in background workers: nothing that a
# query's JIT could inline, so no bitcode.
override with_llvm := no

# "make installcheck", against a server that preloads the library (debian/tests): the expected
# outputs name the database.
ISOLATION_OPTS = --inputdir=$(srcdir)/test/isolation

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
CONTRIB_TESTDB = burrow_regress

all: burrow_kafka.so

# LDFLAGS_LIBRARIES is for those of ours that load others' (scripts/extension-folder).
burrow_kafka.so: $(KAFKA_OBJS) $(KAFKA_CORE_OBJS)
	$(CC) $(CFLAGS) $(KAFKA_OBJS) $(KAFKA_CORE_OBJS) -shared -o $@ $(LDFLAGS) $(LDFLAGS_SL) $(LDFLAGS_LIBRARIES) -lrdkafka -lssl -lcrypto -lpthread

# The compiler is asked, and not pkg-config, which may not be there.
hash := \#
ifeq ($(shell echo '$(hash)include <microhttpd.h>' | $(CC) $(CPPFLAGS) -E - >/dev/null 2>&1 && echo yes),yes)
all: burrow_exporter.so
install: install-exporter
else
all: no-exporter
endif

no-exporter:
	@echo 'libmicrohttpd is not installed: burrow_exporter is not built, and burrow.metrics_listen will not work'

burrow_exporter.so: $(HTTP_OBJS)
	$(CC) $(CFLAGS) $(HTTP_OBJS) -shared -o $@ $(LDFLAGS) $(LDFLAGS_SL) $(LDFLAGS_LIBRARIES) -lmicrohttpd

install-exporter: burrow_exporter.so
	$(INSTALL_SHLIB) burrow_exporter.so '$(DESTDIR)$(pkglibdir)/burrow_exporter.so'

install: install-kafka
install-kafka: burrow_kafka.so
	$(INSTALL_SHLIB) burrow_kafka.so '$(DESTDIR)$(pkglibdir)/burrow_kafka.so'

uninstall: uninstall-kafka
uninstall-kafka:
	rm -f '$(DESTDIR)$(pkglibdir)/burrow_kafka.so' '$(DESTDIR)$(pkglibdir)/burrow_exporter.so'

sql/burrow--$(EXTVERSION).sql: sql/burrow_tables.sql sql/burrow.sql
	cat $^ >$@

# From one version to the next and the next: all of the steps' files.
sql/burrow--0.1.0--$(EXTVERSION).sql: sql/update/begin.sql sql/update/0.1.0.sql sql/burrow.sql sql/update/end.sql
	cat $^ >$@

# Every object depends on every header: the tree is small, and a stale object
# over shared memory is worse than a slow build.
$(OBJS) $(KAFKA_OBJS) $(HTTP_OBJS): $(wildcard $(srcdir)/src/*.h $(srcdir)/src/*/*.h)

# Built outside of the source (make -f .../Makefile, which is how Debian's tools do it): the
# folders have to be there.  As prerequisites they would be found in the source.
ifneq ($(srcdir),.)
$(shell mkdir -p $(sort $(dir $(OBJS) $(KAFKA_OBJS) $(HTTP_OBJS) $(DATA_built))))
endif

.PHONY: install-kafka uninstall-kafka install-exporter no-exporter
include $(srcdir)/test/test.mk
