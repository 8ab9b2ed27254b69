"""
Every failure that someone outside a room can see.

The class name is the name on the wire between services; C{code} is the EC2
error code, C{status} the HTTP status.  Anything that is not a L{NovaError} is
a fault of ours: it is logged where it happened, and shown as an opaque 500.
"""

from __future__ import annotations

from typing import ClassVar


class NovaError(Exception):
    """A failure with a name; its text may be shown to the user who asked."""

    code: ClassVar[str] = "InternalError"
    status: ClassVar[int] = 500


# Not there.


class NotFound(NovaError):
    """Something that was named does not exist, or is not the caller's to see."""

    code = "InvalidParameterValue"
    status = 400


class InstanceNotFound(NotFound):
    """No such instance, or another project's."""

    code = "InvalidInstanceID.NotFound"


class ImageNotFound(NotFound):
    """No such image, or one the caller may not see."""

    code = "InvalidAMIID.NotFound"


class KeyPairNotFound(NotFound):
    """The user has no key pair of that name."""

    code = "InvalidKeyPair.NotFound"


class SecurityGroupNotFound(NotFound):
    """The project has no security group of that name."""

    code = "InvalidGroup.NotFound"


class VolumeNotFound(NotFound):
    """No such volume, or another project's."""

    code = "InvalidVolume.NotFound"


class SnapshotNotFound(NotFound):
    """No such snapshot, or another project's."""

    code = "InvalidSnapshot.NotFound"


class AddressNotFound(NotFound):
    """The project has no floating address of that allocation id."""

    code = "InvalidAllocationID.NotFound"


class ZoneNotFound(NotFound):
    """No service runs in that availability zone."""

    code = "InvalidParameterValue"


class NetworkNotFound(NotFound):
    """No network answers that description."""


class FixedIpNotFound(NotFound):
    """The address is in no network of ours."""


class ServiceNotFound(NotFound):
    """No service row for that host and binary."""


class UserNotFound(NotFound):
    """No such user."""

    code = "UserNotFound"


class ProjectNotFound(NotFound):
    """No such project."""

    code = "ProjectNotFound"


class RoleNotFound(NotFound):
    """The role is not in C{allowed_roles}."""

    code = "RoleNotFound"


class BucketNotFound(NotFound):
    """No such bucket (S3 C{NoSuchBucket})."""

    code = "NoSuchBucket"
    status = 404


class KeyNotFound(NotFound):
    """No such object in the bucket (S3 C{NoSuchKey})."""

    code = "NoSuchKey"
    status = 404


# Asked wrongly.


class InvalidInput(NovaError):
    """The request can't be understood or makes no sense."""

    code = "InvalidParameterValue"
    status = 400


class MalformedInstanceId(InvalidInput):
    """Not of the form i-xxxxxxxx."""

    code = "InvalidInstanceID.Malformed"


class MalformedImageId(InvalidInput):
    """Not of the form ami-xxxxxxxx (or aki-, ari-)."""

    code = "InvalidAMIID.Malformed"


class MalformedKey(InvalidInput):
    """What is to be imported is no public key of a kind that guests take."""

    code = "InvalidKey.Format"


class MalformedImageName(InvalidInput):
    """Not a name that an image can have."""

    code = "InvalidAMIName.Malformed"


class InvalidLaunchPermission(InvalidInput):
    """No project and no group to whom an image could be opened."""

    code = "InvalidAMIAttributeItemValue"


class MalformedId(InvalidInput):
    """Not of the form of any resource's id."""

    code = "InvalidID"


class InvalidBlockDevices(InvalidInput):
    """Devices that no instance of this cloud can have."""

    code = "InvalidBlockDeviceMapping"


class MissingParameter(InvalidInput):
    """A parameter that the action can't do without is not there."""

    code = "MissingParameter"


class TokenMismatch(InvalidInput):
    """A client token was used before, for another request."""

    code = "IdempotentParameterMismatch"


class TokenOver(InvalidInput):
    """All that was launched with this client token has been terminated."""

    code = "IdempotentInstanceTerminated"


class PayloadMismatch(InvalidInput):
    """A body is not the one whose SHA-256 was signed (S3)."""

    code = "XAmzContentSHA256Mismatch"


class MalformedPayload(InvalidInput):
    """A body ended too early, or is not coded as the request's headers say (S3)."""

    code = "IncompleteBody"


class Conflict(NovaError):
    """The thing is not in a state in which this can be done."""

    code = "IncorrectInstanceState"
    status = 400


class WrongState(Conflict):
    """A compare-and-set found another state than it needed; nothing was written."""


class InUse(Conflict):
    """Something else still needs the thing."""

    code = "DependencyViolation"


class ImageUnavailable(Conflict):
    """The image exists but is not (yet) C{available}."""

    code = "InvalidAMIID.Unavailable"


class Duplicate(NovaError):
    """The name is taken."""

    code = "InvalidParameterValue"
    status = 400


class DuplicateKeyPair(Duplicate):
    """The user has a key pair of that name already."""

    code = "InvalidKeyPair.Duplicate"


class DuplicateImageName(Duplicate):
    """The project has an image of that name already."""

    code = "InvalidAMIName.Duplicate"


# Who asks.


class AuthFailure(NovaError):
    """The caller could not be identified. The text never says which part was wrong."""

    code = "AuthFailure"
    status = 403


class LockedOut(AuthFailure):
    """The access key was used wrongly too often of late."""

    def __init__(self, text: str = "Too many failed authentications.") -> None:
        super().__init__(text)


class Replayed(AuthFailure):
    """The signature was used before, for a request that can't be done twice."""


class SignatureMismatch(NovaError):
    """The request was not signed with the secret that belongs to the access key."""

    code = "SignatureDoesNotMatch"
    status = 403


class RequestExpired(NovaError):
    """The request's time is too far from ours."""

    code = "RequestExpired"
    status = 400


class Unauthorized(NovaError):
    """The caller is known, but has no role that may do this."""

    code = "UnauthorizedOperation"
    status = 403


class ForeignImage(Unauthorized):
    """The image is there to be seen, but another project's to change."""

    code = "AuthFailure"


class OperationNotPermitted(NovaError):
    """The thing is protected against this, such as by DisableApiTermination."""

    code = "OperationNotPermitted"
    status = 400


# No room.


class QuotaExceeded(NovaError):
    """The project's quota would be exceeded; the text says by how much."""

    code = "InstanceLimitExceeded"
    status = 400


class TooManyTags(NovaError):
    """A resource would have more tags than one may have."""

    code = "TagLimitExceeded"
    status = 400


class NoMoreAddresses(NovaError):
    """Every address of the network is taken."""

    code = "InsufficientFreeAddressesInSubnet"
    status = 400


class NoValidHost(NovaError):
    """No live host can take the instance."""

    code = "InsufficientInstanceCapacity"
    status = 503


# Parts that fail.


class Unavailable(NovaError):
    """A part that is needed (broker, database, hypervisor) does not answer; try again."""

    code = "Unavailable"
    status = 503


class TooManyRequests(Unavailable):
    """More is asked for at once than is served at once; whoever asks less often is served."""

    code = "RequestLimitExceeded"


class TooSoon(TooManyRequests):
    """The very same request was made a moment ago: signed again, it is another one."""


class RemoteTimeout(Unavailable):
    """A call to another service was not answered in time."""


class Unroutable(Unavailable):
    """No queue is bound for the topic: nobody would ever get the message."""


class RemoteError(NovaError):
    """Another service failed in a way that it did not declare. Its log has the traceback."""


class NoSuchMethod(NovaError):
    """The message names a method that the service does not offer."""


class VirtError(NovaError):
    """The hypervisor could not do it."""


class HypervisorAway(Unavailable, VirtError):
    """The hypervisor does not answer: what was asked of it was done or not; ask again."""


class FabricError(NovaError):
    """The host's network could not be set up."""


class ImageError(NovaError):
    """An image could not be fetched, or is not what it should be."""


class DirectoryError(NovaError):
    """The directory (LDAP) that users are kept in refused what was asked of it."""


class AuthorityError(NovaError):
    """The certificate authority's files can't be used."""


class ProcessFailed(NovaError):
    """
    A program ended with another status than 0, or did not end in time.

    @ivar argv: what was run, without secrets (they go by standard input).
    @ivar exit_code: its status, negative for a signal, None for a time-out.
    """

    def __init__(self, argv: tuple[str, ...], exit_code: int | None, stderr: str) -> None:
        what = "did not end in time" if exit_code is None else f"ended with status {exit_code}"
        super().__init__(f"{argv[0]} {what}: {stderr.strip()[-500:]}")
        self.argv = argv
        self.exit_code = exit_code
        self.stderr = stderr


class StartupError(Exception):
    """A daemon or a command can't start. The text is one sentence for its operator."""


def declared() -> dict[str, type[NovaError]]:
    """Every declared error by its name on the wire."""
    found: dict[str, type[NovaError]] = {}
    todo: list[type[NovaError]] = [NovaError]
    while todo:
        error = todo.pop()
        found[error.__name__] = error
        todo.extend(error.__subclasses__())
    return found


def from_wire(name: str, text: str) -> NovaError:
    """
    The error that another service declared.

    A name that is not declared here becomes a L{RemoteError}; so does
    L{ProcessFailed}, whose parts do not travel.
    """
    known = declared().get(name)
    if known is None or known is ProcessFailed:
        return RemoteError(text)
    return known(text)
