"""How the property tests run: no deadlines (machines differ), failures reproducible."""

import os
import sys

import hypothesis
from hypothesis.database import DirectoryBasedExampleDatabase

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

hypothesis.settings.register_profile(
    "burrow",
    deadline=None,
    max_examples=int(os.environ.get("BURROW_UNIT_EXAMPLES", "200")),
    print_blob=True,
    database=DirectoryBasedExampleDatabase(
        os.path.join(HERE, "..", "..", "build", "unit", "examples")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.load_profile("burrow")
