# Included by the Makefile at its end: what is run rather than built.

test:
	scripts/test

demo:
	scripts/demo

lint:
	test/lint/run

coverage:
	scripts/coverage

# scripts/test asks for the names of the cases.
list-regress:
	@echo $(REGRESS)

list-isolation:
	@echo $(ISOLATION)

.PHONY: test demo lint coverage list-regress list-isolation
