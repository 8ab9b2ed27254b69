"""
Who signed a request, when, and whether it is so.      [spec/02 section 2; spec/15 A1, C3, C4]

Pure: L{read} makes a request a L{Message}, L{claim} finds what it says of its
own signature, and the claim is proved by the secret that belongs to the key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from twisted.web.server import Request

from nova_tx.api.ec2.faults import InvalidCombination
from nova_tx.auth import signatures
from nova_tx.context import Seal
from nova_tx.errors import AuthFailure, InvalidInput, MissingParameter, RequestExpired

#: Parameters that carry the signature, not the action's meaning.
PROTOCOL = frozenset(
    (
        *("Action", "Version", "Timestamp", "Expires", "SecurityToken"),
        *("AWSAccessKeyId", "Signature", "SignatureMethod", "SignatureVersion"),
        *("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires"),
        *("X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Content-Sha256"),
    )
)

#: Seconds of the longest life of a request that says it itself.
LONGEST_LIFE = 7 * 24 * 3600

_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?\Z", re.I
)
_BASIC = re.compile(r"[0-9]{8}T[0-9]{6}Z\Z")


@dataclass(frozen=True)
class Message:
    """
    A request as it is signed.

    @ivar path: as requested, percent-encoded.
    @ivar headers: by lower-case name.
    @ivar query: the pairs of the URL.
    @ivar parameters: query and form merged, the last of a name wins.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    parameters: Mapping[str, str]
    body: bytes

    def hosts(self) -> Iterator[str]:
        """The Host header as it came, and as clients sign it that leave the port out."""
        host = self.headers.get("host", "")
        yield host
        if signatures.without_port(host) != host:
            yield signatures.without_port(host)


@dataclass(frozen=True)
class Claim:
    """
    What a request says of its signature.

    @ivar access_key: C{key} or C{key:project}.
    @ivar begins, ends: when it may be used, naive UTC.
    @ivar expected: from a secret, the signatures that it might have made.
    """

    access_key: str
    signature: str
    begins: datetime
    ends: datetime
    expected: Callable[[str], Iterator[str]]

    def check_time(self, now: datetime) -> None:
        """
        See that it is in time.

        @raise RequestExpired: it is too old, or from the future.
        """
        if not self.begins <= now <= self.ends:
            raise RequestExpired(
                "Request has expired: its time is too far from the server's, "
                f"which is {now.isoformat(timespec='seconds')}Z"
            )

    def seal(self) -> Seal:
        """
        What tells it from every other.

        The signature alone: version 4 does not sign the access key, whose project might be changed.
        """
        return Seal(hashlib.sha256(self.signature.encode()).hexdigest(), self.ends)

    def proved_by(self, secret: str) -> bool:
        """Whether that secret made the signature."""
        return any(signatures.same(each, self.signature) for each in self.expected(secret))


def read(request: Request, most: int) -> Message:
    """
    The parts of a request that matter.

    @param most: parameters that it may have.
    @raise InvalidInput: it is not UTF-8, or has too many parameters.
    """
    path, _, query_text = request.uri.partition(b"?")
    body = request.content.read() if request.content is not None else b""
    query = _pairs(query_text, most)
    kind = (request.getHeader(b"content-type") or b"").partition(b";")[0].strip().lower()
    form = _pairs(body, most) if kind == b"application/x-www-form-urlencoded" else ()
    headers = {
        name.decode("latin-1").lower(): b",".join(values).decode("utf-8", "replace")
        for name, values in request.requestHeaders.getAllRawHeaders()
    }
    if len(query) + len(form) > most:
        raise _too_many(most)
    return Message(
        request.method.decode("latin-1"),
        path.decode("latin-1"),
        headers,
        query,
        dict((*query, *form)),
        body,
    )


def _pairs(text: bytes, most: int) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(
            parse_qsl(
                text.decode("utf-8"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=most,
            )
        )
    except UnicodeDecodeError:
        raise InvalidInput("The request's parameters are not UTF-8") from None
    except ValueError:
        raise _too_many(most) from None


def _too_many(most: int) -> InvalidInput:
    return InvalidInput(f"The request has more than {most} parameters")


def claim(message: Message, window: int) -> Claim:
    """
    What a message says of its signature; version 2, or 4 in query or header.

    A header C{Authorization: AWS …} beside version 2 parameters is some
    clients' habit, and ignored.

    @param window: seconds that its time may be off.
    @raise MissingParameter, InvalidInput, InvalidCombination, AuthFailure: it says it wrongly.
    """
    parameters = message.parameters
    slack = timedelta(seconds=window)
    if "Signature" in parameters or "AWSAccessKeyId" in parameters:
        return _claim_v2(message, slack)
    if "X-Amz-Algorithm" in parameters:
        return _claim_v4_query(message, slack)
    header = message.headers.get("authorization", "")
    if header.startswith(signatures.V4_ALGORITHM):
        return _claim_v4_header(message, header, slack)
    raise AuthFailure("The request is not signed")


def _claim_v2(message: Message, slack: timedelta) -> Claim:
    parameters = message.parameters
    access_key = required(parameters, "AWSAccessKeyId")
    signature = required(parameters, "Signature")
    if required(parameters, "SignatureVersion") != "2":
        raise InvalidInput("SignatureVersion must be 2, or the request signed with version 4")
    algorithm = required(parameters, "SignatureMethod")
    if parameters.get("Expires"):
        if parameters.get("Timestamp"):
            raise InvalidCombination("Timestamp and Expires can't both be given")
        ends = _time("Expires", parameters["Expires"])
        begins = ends - timedelta(seconds=LONGEST_LIFE)
    else:
        moment = _time("Timestamp", required(parameters, "Timestamp"))
        begins, ends = moment - slack, moment + slack

    def expected(secret: str) -> Iterator[str]:
        for host in message.hosts():
            yield signatures.v2_signature(
                secret, algorithm, message.method, host, message.path, parameters
            )

    return Claim(access_key, signature, begins, ends, expected)


def _claim_v4_header(message: Message, header: str, slack: timedelta) -> Claim:
    authorization = signatures.parse_v4_authorization(header)
    timestamp = message.headers.get("x-amz-date", "")
    moment = _v4_time(timestamp, authorization)
    return Claim(
        authorization.access_key,
        authorization.signature,
        moment - slack,
        moment + slack,
        _expected_v4(message, authorization, timestamp),
    )


def _claim_v4_query(message: Message, slack: timedelta) -> Claim:
    parameters = message.parameters
    if parameters["X-Amz-Algorithm"] != signatures.V4_ALGORITHM:
        raise AuthFailure(f"X-Amz-Algorithm must be {signatures.V4_ALGORITHM}")
    authorization = signatures.v4_authorization(
        required(parameters, "X-Amz-Credential"),
        required(parameters, "X-Amz-SignedHeaders"),
        required(parameters, "X-Amz-Signature"),
    )
    timestamp = required(parameters, "X-Amz-Date")
    moment = _v4_time(timestamp, authorization)
    life = required(parameters, "X-Amz-Expires")
    if not re.fullmatch(r"[0-9]{1,6}", life) or not 1 <= int(life) <= LONGEST_LIFE:
        raise InvalidInput(f"X-Amz-Expires must be 1 to {LONGEST_LIFE} seconds")
    return Claim(
        authorization.access_key,
        authorization.signature,
        moment - slack,
        moment + timedelta(seconds=int(life)),
        _expected_v4(message, authorization, timestamp),
    )


def _expected_v4(
    message: Message, authorization: signatures.V4Authorization, timestamp: str
) -> Callable[[str], Iterator[str]]:
    payload_hash = hashlib.sha256(message.body).hexdigest()

    def expected(secret: str) -> Iterator[str]:
        for host in message.hosts():
            yield signatures.v4_signature(
                secret,
                authorization.scope,
                timestamp,
                message.method,
                message.path,
                message.query,
                {**message.headers, "host": host},
                authorization.signed_headers,
                payload_hash,
            )

    return expected


def required(parameters: Mapping[str, str], name: str) -> str:
    """
    A parameter of the protocol.

    @raise MissingParameter: it is not there.
    """
    value = parameters.get(name)
    if not value:
        raise MissingParameter(f"The request must contain the parameter {name}")
    return value


def _time(name: str, text: str) -> datetime:
    found = _TIME.match(text)
    try:
        if found is None:
            raise ValueError
        moment = datetime.fromisoformat(found[1] + (found[2] or "Z").upper())
        return _in_range(moment.astimezone(UTC).replace(tzinfo=None))
    except (ValueError, OverflowError):
        raise InvalidInput(f"Invalid value '{text}' for {name}: not an ISO 8601 time") from None


def _v4_time(timestamp: str, authorization: signatures.V4Authorization) -> datetime:
    try:
        if not _BASIC.match(timestamp):
            raise ValueError
        moment = _in_range(
            datetime.fromisoformat(timestamp[:-1])
        )  # strptime takes ten times as long
    except ValueError:
        raise AuthFailure("X-Amz-Date is missing, or not of the form YYYYMMDDTHHMMSSZ") from None
    if authorization.scope.partition("/")[0] != timestamp[:8]:
        raise AuthFailure("The date in the request's credential is not that of X-Amz-Date")
    return moment


def _in_range(moment: datetime) -> datetime:
    """
    A time to which days can be added.

    @raise ValueError: it is none.
    """
    if not 1900 < moment.year < 9000:
        raise ValueError
    return moment
