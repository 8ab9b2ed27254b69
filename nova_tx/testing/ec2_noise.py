"""
Requests that nobody's client would send: a strategy for hypothesis.

Most are spoilt in one place and right elsewhere, so that they come far: an
example request of an action with a name, a value or a number that is strange.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote_from_bytes

from hypothesis import strategies as st

from nova_tx.api.ec2 import reference
from nova_tx.api.ec2.action import Action
from nova_tx.auth.signatures import V4_ALGORITHM, v2_signature, v4_signature
from nova_tx.testing.ec2 import HOST, NEW, OLD, Door
from nova_tx.testing.ec2_examples import ADMIN, CLOUD, RUNS, STOPPED, Entrance

Pair = tuple[bytes, bytes]

FORM = b"application/x-www-form-urlencoded"
_SIGNED = ("content-type", "host", "x-amz-date")

#: Values that have broken something somewhere.
_VALUES = (
    *(b"", b" ", b"0", b"-1", b"1", b"2", b"5", b"1001", b"4294967296", b"9" * 30, b"1e9", b"NaN"),
    *(b"true", b"false", b"True", b"null", b"None", b"[]", b"{}", b"*", b"?", b"\\", b"%", b"%s"),
    *(RUNS.encode(), STOPPED.encode(), b"i-0fffffff", b"i-ffffffff", b"i-", b"i-00000001 "),
    *(b"ami-mine", b"ami-tiny", b"ami-none", b"aki-1", b"ami-../../etc/passwd", b"r-1", b"vol-1"),
    *(b"there", b"default", b"nova", b"joe", b"eve", b"self", b"all", b"verbose", b"m1.tiny"),
    *(b"\x00", b"\r\n", b"a\nb", b"\x1b[31m", b"\x7f", b"\xc3\xa9", b"\xff\xfe", b"\xc0\x80"),
    *(b"\xed\xa0\x80", b"\xf0\x9f\x92\xa9", b"\xe2\x80\xae", b"\xef\xbf\xbf", b"]]>", b"<b>&amp;"),
    *(b"<!DOCTYPE x>", b"' OR 1=1 --", b"$(reboot)", b"../../../etc/passwd", b"aGVsbG8=", b"===="),
    *(b"x" * 256, b"y" * 1025, b"z" * 70_000, b"2011-02-15T07:28:32Z", b"9999-99-99T99:99:99Z"),
)
_TAILS = (
    *(b".1", b".0", b".2", b".01", b".-1", b".999999", b".9999999999", b".1.1", b".1.Name"),
    *(
        b".1.Value.1",
        b".1.Value",
        b".1.Value.1.1",
        b".N",
        b".",
        b"..1",
        b".x",
        b".1.",
        b".\xd9\xa1",
    ),
)
_VERSIONS = (NEW, OLD, "2011-01-01", "nova", "", "2010-13-99", "9999-99-99", "x" * 40, "<v>", "a'b")
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "get", "BREW")
_TYPES = (
    FORM,
    FORM + b"; charset=utf-8",
    b"",
    b"text/xml",
    b"multipart/form-data",
    b"\xff;",
    b"a/b",
)

text = st.text(max_size=30).map(lambda each: each.encode("utf-8", "surrogatepass"))
_known_value = st.sampled_from(_VALUES)
value = st.one_of(_known_value, _known_value, text, st.binary(max_size=20))


def _names(action: type[Action]) -> list[bytes]:
    """What an action takes or ignores, and what every one is given."""
    found = [name for names, _, _ in reference.parameters(action.Params) for name in names]
    found += [
        *action.ignored,
        "DryRun",
        "Filter.N.Name",
        "Filter.N.Value.N",
        "InstanceId.N",
    ]
    return [name.replace(".N", ".1").encode() for name in found]


def _name(action: type[Action]) -> st.SearchStrategy[bytes]:
    declared = st.sampled_from(_names(action))
    return st.one_of(
        declared,
        declared,
        st.builds(bytes.__add__, declared, st.sampled_from(_TAILS)),
        declared.map(lambda each: each.partition(b".")[0]),
        declared.map(bytes.lower),
        text,
    )


@dataclasses.dataclass(frozen=True)
class Noise:
    """
    A request.

    @ivar path: C{/services/Cloud} or C{/services/Admin}.
    @ivar pairs: in order, perhaps several of a name.
    @ivar junk: what follows them in the body, as it is.
    @ivar signature: C{v2}, C{v4}, or what is wrong with it.
    """

    path: str
    action: bytes
    version: bytes
    pairs: tuple[Pair, ...]
    method: str
    kind: bytes
    junk: bytes
    signature: str

    def raw(self, door: Door) -> bytes:
        """Its bytes, signed as joe, or wrongly as eve."""
        pairs = (*self.pairs, (b"Action", self.action), (b"Version", self.version))
        now = datetime.fromtimestamp(door.clock.seconds(), UTC)
        if self.signature == "v2":
            pairs = _signed_v2(pairs, self.method, self.path, now)
        if self.signature == "no key":
            pairs += ((b"AWSAccessKeyId", b"nobody"), (b"Signature", self.junk))
        encoded = b"&".join(_quoted(name) + b"=" + _quoted(each) for name, each in pairs)
        # a line of HTTP has 16 KiB
        in_body = self.method in ("POST", "PUT", "PATCH") or len(encoded) > 8192
        body = encoded + self.junk if in_body else b""
        target = self.path.encode() + (b"" if in_body else b"?" + encoded)
        headers = [(b"Host", HOST.encode()), (b"Content-Length", str(len(body)).encode())]
        headers += [(b"Content-Type", self.kind)] if self.kind else []
        if self.signature in ("v4", "wrong"):
            wrong = self.signature == "wrong"
            headers += _signed_v4(self.method, target, self.kind, body, now, wrong)
        lines = b"".join(name + b": " + each + b"\r\n" for name, each in headers)
        return b"%s %s HTTP/1.1\r\n%s\r\n%s" % (self.method.encode(), target, lines, body)


# made once: hypothesis looks at each strategy that it has not seen
_ENTRANCE = st.sampled_from((CLOUD, CLOUD, CLOUD, ADMIN))
_ACTION = {each.path: st.sampled_from(sorted(each.actions)) for each in (CLOUD, ADMIN)}
_EXAMPLE = {
    (each.path, action): st.sampled_from(each.examples.get(action) or ({},))
    for each in (CLOUD, ADMIN)
    for action in each.actions
}
_NAME = {
    (each.path, action): _name(found)
    for each in (CLOUD, ADMIN)
    for action, found in each.actions.items()
}
_CHANGES = st.lists(st.integers(0, 5), max_size=4)
_ODD = st.integers(0, 15)
_MANY = st.integers(0, 40)
_NUMBERS = st.sampled_from((999, 1001, 4999, 5001))
_VERSION = st.sampled_from(_VERSIONS).map(str.encode)
_METHOD, _ANY_METHOD = st.sampled_from(_METHODS[:2]), st.sampled_from(_METHODS)
_TYPE = st.sampled_from(_TYPES)
_JUNK = st.binary(max_size=40)
_UNSIGNED = st.sampled_from(("wrong", "none", "no key"))


@st.composite
def noise(draw: Any) -> Noise:
    """A request that is spoilt in a few places, or none."""
    entrance: Entrance = draw(_ENTRANCE)
    action = draw(_ACTION[entrance.path])
    example, name = _EXAMPLE[entrance.path, action], _NAME[entrance.path, action]
    pairs = [(k.encode(), v.encode()) for k, v in draw(example).items()]
    for change in draw(_CHANGES):
        at = draw(st.integers(0, len(pairs) - 1)) if pairs else 0
        if change <= 2 or not pairs:
            pairs.append((draw(name), draw(value)))
        elif change == 3:
            pairs[at] = (pairs[at][0], draw(value))
        elif change == 4:
            pairs[at] = (draw(name), pairs[at][1])
        else:
            pairs.append(pairs[at])
    if draw(_MANY) == 40:
        pairs += [(b"InstanceId.%d" % each, RUNS.encode()) for each in range(draw(_NUMBERS))]
    odd = draw(_ODD)
    versions = entrance.versions
    return Noise(
        entrance.path,
        draw(value) if odd == 1 else action.encode(),
        draw(_VERSION) if odd == 2 else versions[odd % len(versions)].encode(),
        tuple(pairs),
        draw(_ANY_METHOD) if odd == 3 else draw(_METHOD),
        draw(_TYPE) if odd == 4 else FORM,
        draw(_JUNK) if odd in (5, 6) else b"",
        draw(_UNSIGNED) if odd == 6 else ("v4", "v2")[odd // 2 % 2],
    )


def _quoted(each: bytes) -> bytes:
    return quote_from_bytes(each, safe="-_.~").encode()


def _signed_v2(pairs: Sequence[Pair], method: str, path: str, now: datetime) -> tuple[Pair, ...]:
    """The pairs with a right signature, as far as they are UTF-8."""
    given = [
        *pairs,
        (b"AWSAccessKeyId", b"joe"),
        (b"SignatureMethod", b"HmacSHA256"),
        (b"SignatureVersion", b"2"),
        (b"Timestamp", now.strftime("%Y-%m-%dT%H:%M:%S").encode()),
    ]
    texts = {k.decode("utf-8", "replace"): v.decode("utf-8", "replace") for k, v in given}
    signature = v2_signature("secret-of-joe", "HmacSHA256", method, HOST, path, texts)
    return (*given, (b"Signature", signature.encode()))


def _signed_v4(
    method: str, target: bytes, kind: bytes, body: bytes, now: datetime, wrong: bool
) -> list[Pair]:
    """The headers of a signature over whatever the bytes are."""
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/nova/ec2/aws4_request"
    signature = v4_signature(
        "no secret" if wrong else "secret-of-joe",
        scope,
        moment,
        method,
        target.partition(b"?")[0].decode(),
        parse_qsl(target.partition(b"?")[2].decode("utf-8", "replace"), keep_blank_values=True),
        {"content-type": kind.decode("utf-8", "replace"), "host": HOST, "x-amz-date": moment},
        _SIGNED,
        hashlib.sha256(body).hexdigest(),
    )
    who = "eve" if wrong else "joe"  # a key that is locked is not joe's
    said = f"Credential={who}/{scope}, SignedHeaders={';'.join(_SIGNED)}, Signature={signature}"
    return [(b"X-Amz-Date", moment.encode()), (b"Authorization", f"{V4_ALGORITHM} {said}".encode())]
