"""Files of stack.env_files with anything in them."""

from __future__ import annotations

from fuzzing import amounts, for_all
from hypothesis import strategies as st

from fuzz import dotenv

pieces = st.sampled_from(
    [*"=\n\r#'\" \\\0A1", "export ", "NAME", "\r\n", "${A}", "\\n", "é", "\x0b", "\x85", "\u2028", "\ufeff"]
)


@amounts(300)
def test_any_env_file(amount: int) -> None:
    """Variables that a process can have, or errors with lines that there are."""
    texts = st.lists(pieces, max_size=30).map(lambda parts: "".join(parts).encode())
    for_all(texts | st.binary(max_size=100), dotenv.check, amount)
