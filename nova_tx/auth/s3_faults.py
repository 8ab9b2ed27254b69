"""Failures of who asks that only S3 has a word for; class attributes are S3's code and status."""

from __future__ import annotations

from nova_tx.errors import NovaError


class MalformedAuthorization(NovaError):
    """The Authorization header of version 4 is not of its form."""

    code = "AuthorizationHeaderMalformed"
    status = 400


class MalformedQueryAuthorization(NovaError):
    """The parameters X-Amz-… that sign a query are not all there, or not of their form."""

    code = "AuthorizationQueryParametersError"
    status = 400


class PayloadUnsigned(NovaError):
    """The headers do not say how the body is signed."""

    code = "InvalidRequest"
    status = 400
