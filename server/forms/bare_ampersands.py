"""A bare `&` in a form that was written by hand: ODK Central's parser takes it for text, and forms of the field rely on that."""

from __future__ import annotations

import re

# In comments, CDATA and processing instructions an ampersand is itself; elsewhere it begins a reference or is bare.
# One that is never closed takes all the rest with it: looking for each one's end anew would be quadratic.
_LITERAL_OR_BARE = re.compile(
    rb"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)|&(?!(?:#[0-9]+|#x[0-9A-Fa-f]+|[A-Za-z_:][A-Za-z0-9._:-]*);)", re.DOTALL
)


def escape_bare_ampersands(xform: bytes) -> bytes:
    """The same XML with each ampersand that begins no reference written as `&amp;`; the very same object where there is none.

    Encodings that keep ASCII's bytes (UTF-8, GB18030) alone; in any other the XML stays as malformed as it came.
    """
    if b"\0" in xform:
        # UTF-16 or UTF-32, where four single bytes would turn the ampersand into other letters.
        return xform
    written = _LITERAL_OR_BARE.sub(lambda found: b"&amp;" if found.group() == b"&" else found.group(), xform)
    return xform if written == xform else written
