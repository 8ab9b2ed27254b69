"""
What memory connections may take, whatever their clients do, and how much that is in all.

Large bodies pass by; what is held of them, and what is gathered, has these bounds.
"""

from __future__ import annotations

from nova_tx.objectstore.aside import BEHIND

#: Bytes of a body, or of a small object on its way out, that a connection holds.
SMALL = 2**16
#: Bytes of a large body that a connection holds until there are enough for the file.
GATHERED = 2**16
#: Bytes of what else is known of a connection and its request: objects of Python's.
KNOWN = 2**15

#: Bytes of a large body over TLS that wait for a thread before the client has to.
AHEAD = 2**20

#: Bytes that a thread takes from a connection at a time; it has a few of these.
PIECE = 2**18
#: Threads that take in and send large bodies.
BODY_THREADS = 4

#: Bytes of the longest document that a request brings; how often as many all that is read from it
#: takes; and how many documents longer than L{SMALL} are held at once.
DOCUMENT, READ, DOCUMENTS = 2**22, 16, 4

#: Bytes of the keys of a page of a list, after which it ends before it is full.
KEYS = 2**18
#: Bytes of the longest answer that is no object: a page of keys, each byte as three, and what is
#: said of a thousand of them.
ANSWER = 3 * KEYS + 1000 * 512


def memory(connections: int, lists: int = 0, documents: int = 0, ahead: int = 0) -> int:
    """
    Bytes that so many connections may take, over what the daemon has without them.

    @param lists: how many of them ask for a page of a list and leave it where it is.
    @param documents: how many of them bring a long document, such as what is to be deleted.
    @param ahead: how many of them send large bodies over TLS faster than the disk takes them.
    """
    threads = BODY_THREADS * (BEHIND + 1) * PIECE
    long = min(documents, DOCUMENTS) * DOCUMENT * READ
    each = connections * (KNOWN + SMALL + GATHERED) + ahead * AHEAD
    return each + lists * ANSWER + threads + long
