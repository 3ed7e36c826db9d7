# Included by the Makefile at its end: what is run rather than built.

test:
	scripts/test

demo:
	scripts/demo

lint:
	test/lint/run

# The model of delivery, searched by SPIN.
model:
	docs/model/run

coverage:
	scripts/test --coverage

# The form of the C source: brought there, or looked at.
format:
	scripts/format

format-check:
	scripts/format --check

bench:
	bench/run

# An embedded broker, for the demo and for quick tests.
build/mock_cluster: $(srcdir)/test/kafka/mock_cluster.c
	@mkdir -p build
	$(CC) -std=gnu11 -D_GNU_SOURCE -g -O2 -Wall -Wextra -Wno-unused-parameter -Werror $< -o $@ -lrdkafka

# scripts/test asks for the names of the cases.
list-regress:
	@echo $(REGRESS)

list-isolation:
	@echo $(ISOLATION)

.PHONY: test demo format format-check lint model coverage bench list-regress list-isolation
