"""
Forms that a browser sends with a file: signed is the policy that says what they may hold.

Pure: the caller finds the secret of the access key that a form claims, and asks whether it
holds.                                             [S3: browser-based uploads using POST]
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from nova_tx.auth.s3_signatures import access_parts
from nova_tx.auth.signatures import (
    V4_ALGORITHM,
    V4Authorization,
    same,
    v4_authorization,
    v4_signing_key,
)
from nova_tx.errors import AuthFailure, InvalidInput, SignatureMismatch

_V2 = ("awsaccesskeyid", "signature", "policy")
_V4 = ("x-amz-credential", "x-amz-algorithm", "x-amz-date", "x-amz-signature", "policy")


@dataclass(frozen=True)
class FormClaim:
    """
    Who says to have signed a form.

    @ivar project_id: the project after the colon of the access key, None without one.
    @ivar policy: base64, as it was signed.
    """

    access_key: str
    project_id: str | None
    policy: str
    authorization: V4Authorization | str

    def verify(self, secret: str) -> None:
        """
        Check the signature.

        @raise SignatureMismatch: it was not made with this secret.
        """
        policy = self.policy.encode("utf-8", "surrogatepass")
        if isinstance(self.authorization, str):
            digest = hmac.new(secret.encode(), policy, hashlib.sha1).digest()
            right = same(base64.b64encode(digest).decode(), self.authorization)
        else:
            key = v4_signing_key(secret, self.authorization.scope)
            ours = hmac.new(key, policy, hashlib.sha256).hexdigest()
            right = same(ours, self.authorization.signature)
        if not right:
            raise SignatureMismatch("the signature does not match")


def claim(fields: Mapping[str, str]) -> FormClaim | None:
    """
    Who a form says it is from; None if it does not: it is anybody's.

    @param fields: by lower-case name.
    @raise InvalidInput: it says so wrongly.
    """
    wanted = _V4 if any(name in fields for name in _V4[:-1]) else _V2
    if not any(name in fields for name in wanted):
        return None
    for name in wanted:
        if not fields.get(name):
            raise InvalidInput(
                f"Bucket POST must contain a field named '{name}'."
                "  If it is specified, please check the order of the fields."
            )
    if wanted is _V2:
        access, signature = fields["awsaccesskeyid"], fields["signature"]
        return FormClaim(*access_parts(access), fields["policy"], signature)
    if fields["x-amz-algorithm"] != V4_ALGORITHM:
        raise InvalidInput(f"x-amz-algorithm must be {V4_ALGORITHM}")
    try:
        found = v4_authorization(fields["x-amz-credential"], "host", fields["x-amz-signature"])
    except AuthFailure:
        raise InvalidInput("x-amz-credential is not of its form") from None
    if not found.scope.startswith(fields["x-amz-date"][:8] + "/"):
        raise InvalidInput("the credential's date is not that of x-amz-date")
    return FormClaim(*access_parts(found.access_key), fields["policy"], found)
