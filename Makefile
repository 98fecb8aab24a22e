# Two commands do all the set-up on a fresh machine: make demo, make test.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test test-all lint bench node-tests fuzz clean

demo: $(VENV)/installed
	$(BIN)/netsheet demo

test: $(VENV)/tested lint
	tools/install-system.sh
	$(BIN)/pytest -m "not slow" -n auto --dist worksteal

# Every model of every corpus through every target; takes much longer.
test-all: $(VENV)/tested
	tools/install-system.sh
	$(BIN)/pytest -n auto --dist worksteal

lint: $(VENV)/tested
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Keras with JAX has an environment of its own: beside TensorFlow, neither is as fast as alone.
$(VENV)-jax/installed: pyproject.toml
	test -x $(VENV)-jax/bin/python || $(PYTHON) -m venv $(VENV)-jax
	$(VENV)-jax/bin/python -m pip install -q -e ".[bench]"
	touch $@

bench: $(VENV)/tested $(VENV)-jax/installed
	tools/install-system.sh
	export NETSHEET_JAX_PYTHON=$(abspath $(VENV)-jax)/bin/python; \
	for script in bench/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# ONNX's own backend node tests through equations and through generated C.
node-tests: $(VENV)/tested
	$(BIN)/python tests/node/run_node_tests.py

# An hour of mutated files, and an hour of sizes that contradict.
fuzz: $(VENV)/tested
	NETSHEET_FUZZ_SECONDS=3600 $(BIN)/pytest tests/attacks/test_fuzz.py tests/test_shapes.py \
		tests/test_layer_shapes.py
	NETSHEET_HYPOTHESIS=fuzz $(BIN)/pytest tests/test_random_equations.py tests/test_gradients.py

$(VENV)/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -e ".[verify]"
	touch $@

$(VENV)/tested: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -e ".[verify,test]"
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) netsheet-demo .pytest_cache .mypy_cache .ruff_cache
