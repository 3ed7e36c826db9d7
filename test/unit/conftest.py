"""How the property tests run: no deadlines (machines differ), failures reproducible."""

import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
# what Hypothesis remembers stays with what is built
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", os.path.join(HERE, "..", "..", "build", "unit", "hypothesis"))

import hypothesis

hypothesis.settings.register_profile(
    "burrow",
    deadline=None,
    max_examples=int(os.environ.get("BURROW_UNIT_EXAMPLES", "200")),
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.load_profile("burrow")
