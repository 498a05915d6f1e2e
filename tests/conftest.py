"""What holds for every test: how thorough hypothesis is."""

import os

import hypothesis

# Time limits for single examples would fail on a busy machine, not on a wrong program.
hypothesis.settings.register_profile("default", deadline=None, print_blob=True)
hypothesis.settings.register_profile("fuzz", deadline=None, print_blob=True, max_examples=3_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
