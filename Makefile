# Every target works alone on a bare Debian or Ubuntu with Python 3.11 to 3.13; each makes its own .venv first.
#   make demo [ARGS=--once]     make up [ARGS="--port 8080"]     make bench ARGS="flow --customers 100000"
#   make test [ARGS="-k word"]  make lint

.POSIX:
.PHONY: demo up bench test lint runtime dev
PY = .venv/bin/python

demo: runtime
	@$(PY) manage.py demo $(ARGS)

up: runtime
	@$(PY) manage.py up $(ARGS)

bench: runtime
	@$(PY) manage.py bench $(ARGS)

test: dev
	@$(PY) -m pytest $(ARGS)

lint: dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run

runtime:
	@sh loyalty/local/venv.sh runtime

dev:
	@sh loyalty/local/venv.sh dev
