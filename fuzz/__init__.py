"""What every input must keep to, one module for each: `check(data)` raises if a promise is broken.

Run over a kept corpus and under Hypothesis by the test suite, and under atheris by scripts/fuzz.
"""

TARGETS = ("toml", "protocol", "records", "dotenv")
"""The modules, and the folders of the corpus."""
