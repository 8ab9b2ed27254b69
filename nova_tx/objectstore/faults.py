"""Failures that only S3 has a word for; class attributes are S3's code and HTTP status."""

from __future__ import annotations

from nova_tx.errors import NovaError


class Fault(NovaError):
    """
    A failure of which S3 says more than a sentence.

    @ivar members: what its document has besides, by the names that S3 gives them.
    """

    def __init__(self, text: str = "", **members: object) -> None:
        super().__init__(text)
        self.members = members


class InvalidURI(NovaError):
    """The path or query can't be read as UTF-8."""

    code = "InvalidURI"
    status = 400


class InvalidBucketName(NovaError):
    """A bucket can't be called so."""

    code = "InvalidBucketName"
    status = 400


class KeyTooLong(Fault):
    """A key is longer than 1024 bytes."""

    code = "KeyTooLongError"
    status = 400


class InvalidArgument(Fault):
    """A parameter has a value that makes no sense."""

    code = "InvalidArgument"
    status = 400


class InvalidRequest(NovaError):
    """What is asked for can't be asked for like this."""

    code = "InvalidRequest"
    status = 400


class MalformedXML(NovaError):
    """The body is not the XML document that it should be."""

    code = "MalformedXML"
    status = 400


class RequestTooLong(NovaError):
    """A body that has to fit into memory is larger than any that makes sense."""

    code = "MaxMessageLengthExceeded"
    status = 400


class NoSuchUpload(NovaError):
    """No upload in parts of that id goes on for the key."""

    code = "NoSuchUpload"
    status = 404


class InvalidPart(NovaError):
    """A part that an object is to be made of is not there, or another one."""

    code = "InvalidPart"
    status = 400


class InvalidPartOrder(NovaError):
    """The parts that an object is to be made of are not named in order."""

    code = "InvalidPartOrder"
    status = 400


class InvalidPartNumber(NovaError):
    """An object has no part of that number."""

    code = "InvalidPartNumber"
    status = 416


class EntityTooSmall(NovaError):
    """A part that is not the last one, or the file of a form, is smaller than it may be."""

    code = "EntityTooSmall"
    status = 400


class MalformedTrailer(NovaError):
    """The trailers of the body are not those that were announced."""

    code = "MalformedTrailerError"
    status = 400


class MetadataTooLarge(Fault):
    """Names and values of an object's metadata are longer than 2 KiB together."""

    code = "MetadataTooLarge"
    status = 400


class EntityTooLarge(Fault):
    """More bytes are announced than an object, or what can be sent at once, may have."""

    code = "EntityTooLarge"
    status = 400


class MissingContentLength(NovaError):
    """Nothing says how long the body will be."""

    code = "MissingContentLength"
    status = 411


class InvalidStorageClass(Fault):
    """There is one class of storage here."""

    code = "InvalidStorageClass"
    status = 400


class InvalidTag(Fault):
    """A tag's name or value can't be one."""

    code = "InvalidTag"
    status = 400


class TooManyTagsHere(NovaError):
    """A bucket or an object can't have so many tags."""

    code = "BadRequest"
    status = 400


class NoSuchTagSet(NovaError):
    """A bucket has no tags."""

    code = "NoSuchTagSet"
    status = 404


class InvalidLocation(Fault):
    """A place in the world is not of the form of one."""

    code = "InvalidLocationConstraint"
    status = 400


class InvalidToken(NovaError):
    """A session's token comes with the request, and there are no sessions."""

    code = "InvalidToken"
    status = 400


class InvalidDigest(NovaError):
    """A digest in a header is not of its form."""

    code = "InvalidDigest"
    status = 400


class BadDigest(Fault):
    """The body is not the one whose digest was sent."""

    code = "BadDigest"
    status = 400


class MalformedPost(NovaError):
    """The body is no form."""

    code = "MalformedPOSTRequest"
    status = 400


class PostTooLong(NovaError):
    """Too much of a form is before its file."""

    code = "MaxPostPreDataLengthExceededError"
    status = 400


class InvalidPolicyDocument(NovaError):
    """A form's policy can't be read."""

    code = "InvalidPolicyDocument"
    status = 400


class MalformedACL(NovaError):
    """The body is not the XML of grants."""

    code = "MalformedACLError"
    status = 400


class MissingSecurityHeader(NovaError):
    """Nothing says what is to be granted."""

    code = "MissingSecurityHeader"
    status = 400


class UnexpectedContent(NovaError):
    """There is a body, and there should be none."""

    code = "UnexpectedContent"
    status = 400


class BadRequest(NovaError):
    """A browser asks for nothing that could be answered, or what was sent is no request."""

    code = "BadRequest"
    status = 400


class HeadTooLong(NovaError):
    """The first line of a request and its headers are longer than any may be."""

    code = "RequestHeaderSectionTooLarge"
    status = 400


class UnresolvableGrant(NovaError):
    """Nobody is known by that e-mail address."""

    code = "UnresolvableGrantByEmailAddress"
    status = 400


class AccessDenied(NovaError):
    """The caller may not do that, or not know whether it could be done."""

    code = "AccessDenied"
    status = 403


class AccessForbidden(NovaError):
    """No rule lets a page of that origin ask for this."""

    code = "AccessForbidden"
    status = 403


class NoSuchCORSConfiguration(NovaError):
    """The bucket has no rules for pages of other origins."""

    code = "NoSuchCORSConfiguration"
    status = 404


class BucketAlreadyExists(NovaError):
    """Another project has a bucket of that name."""

    code = "BucketAlreadyExists"
    status = 409


class BucketAlreadyOwnedByYou(NovaError):
    """The caller's own project has a bucket of that name."""

    code = "BucketAlreadyOwnedByYou"
    status = 409


class BucketNotEmpty(NovaError):
    """There are objects in the bucket."""

    code = "BucketNotEmpty"
    status = 409


class MethodNotAllowed(Fault):
    """The method means nothing for what was named."""

    code = "MethodNotAllowed"
    status = 405


class PreconditionFailed(Fault):
    """A condition in the request's headers does not hold."""

    code = "PreconditionFailed"
    status = 412


class InvalidRange(Fault):
    """No byte of the object is in the range asked for."""

    code = "InvalidRange"
    status = 416


class NotImplementedHere(Fault):
    """S3 has it, we have not."""

    code = "NotImplemented"
    status = 501


class InsufficientStorage(NovaError):
    """The disk is full."""

    code = "InsufficientStorage"
    status = 507


class Damaged(NovaError):
    """What is kept is not what was stored; the text is for the log."""

    code = "InternalError"
    status = 500
