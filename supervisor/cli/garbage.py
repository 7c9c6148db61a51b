"""When Python looks for garbage: not while a command is loaded, and not when it ends.

Loading makes thousands of objects, nearly all of which stay, and each search walks through those that are
there already; the last one, at the interpreter's end, through all of them. For a command that is over in
50 ms these searches are a sixth of its time. `__main__.main` switches them off before anything is loaded.
"""

from __future__ import annotations

import gc


def pause() -> None:
    """More is about to be loaded: until `search_from_now_on`."""
    gc.disable()


def search_from_now_on() -> None:
    """A command may live long: look for garbage among what it makes, but never again among what is loaded.

    So memory that forked processes share stays shared, too: a search writes to each object.
    """
    if not gc.isenabled():  # else this process isn't ours alone, as in a test
        gc.freeze()
        gc.enable()


def end_without_search() -> None:
    """The process ends: the kernel takes back its memory faster than Python finds what is unused."""
    gc.freeze()
