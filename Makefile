# The steps of .ci/run by short names, in the environment that is active: pip install -c constraints.txt -e ".[dev]"
.PHONY: help check fix test-fast test coverage docs lowest ci

help:        ## these lines
	@grep -E '^[a-z-]+: *##' $(MAKEFILE_LIST) | sed 's/: *## /\t/' | expand -t 14

check:       ## lint, types, rules of the house: half a minute
	.ci/run lint types rules

fix:         ## format, and correct what the linter can
	ruff check --fix . && ruff format .

test-fast:   ## unit tests and rules: two or three minutes
	.ci/run tests-fast

test:        ## all tests, in the way of the README
	.ci/run tests

coverage:    ## coverage of the unit tests, with its floor
	.ci/run coverage

docs:        ## the documentation, with all its checks
	.ci/run docs

lowest:      ## unit tests with the oldest dependencies that pyproject.toml allows (downloads them)
	.ci/run lowest

ci:          ## everything, in a fresh environment
	.ci/run
