"""
Images as operations and the compute worker see them.                  [spec/04]
"""

from __future__ import annotations

from collections.abc import Awaitable

from zope.interface import Attribute, Interface

from nova_tx.context import RequestContext
from nova_tx.model.images import Image, ImageChange, ImageSource, NewImage


class IImages(Interface):
    """
    The registry of images and their files.

    A caller sees public images, its project's, and those that its project may launch.
    """

    names = Attribute("What flag image_service calls it, Bexar's dotted name first.")

    def open() -> Awaitable[None]:
        """Make ready; nothing is asked of the image service yet."""

    def close() -> Awaitable[None]:
        """Let go of what is held."""

    def list(
        context: RequestContext, image_ids: tuple[str, ...] = ()
    ) -> Awaitable[tuple[Image, ...]]:
        """
        The images that the caller may see, by id; of these ids only, if any are given.

        @raise Unavailable: the image service does not answer.
        """

    def show(context: RequestContext, image_id: str) -> Awaitable[Image]:
        """
        One image, with one request.

        @raise ImageNotFound: there is none that the caller may see.
        """

    def register(context: RequestContext, new: NewImage) -> Awaitable[str]:
        """
        Begin to make an image of a bundle, or of a disk as it was uploaded.

        Returns the id of a new image at once; its state tells how it went.

        @raise DuplicateImageName: the project has an image of that name.
        @raise InvalidInput: the location is not of that form.
        @raise ImageNotFound: there is no such manifest or disk that the caller may read.
        """

    def announce(
        context: RequestContext, source: ImageSource, name: str, description: str | None
    ) -> Awaitable[str]:
        """
        Make a new, private image without a file, which a compute host is to L{bring}.

        Returns its id; it is C{pending} until then, or until L{abandon}.

        @raise DuplicateImageName: the project has an image of that name.
        """

    def bring(context: RequestContext, image_id: str, path: str) -> Awaitable[None]:
        """
        Upload the raw disk at C{path} as the file of an announced image, which is available then.

        Nothing if it is available already, so it may be repeated whatever became of it before.

        @raise ImageNotFound: there is none (any more) that the caller may see.
        @raise ForeignImage: it is another project's.
        @raise ImageUnavailable: it was abandoned, or is none that was announced.
        @raise ImageError: the file can't be an image; it will be of no use to repeat this.
        @raise Unavailable: the image service does not answer.
        """

    def abandon(context: RequestContext, image_id: str, reason: str) -> Awaitable[None]:
        """
        Say that an announced image will not come, and why, for its owner to read: it is C{failed}.

        Nothing if it is available or failed already.

        @raise ImageNotFound, ForeignImage: as L{bring}.
        """

    def change(context: RequestContext, image_id: str, wanted: ImageChange) -> Awaitable[None]:
        """
        Change texts and launch permissions of an image: all that is wanted, or nothing.

        @raise ImageNotFound: there is none that the caller may see.
        @raise ForeignImage: it is another project's.
        @raise InvalidLaunchPermission: it is to be opened to a project that there is not.
        """

    def deregister(context: RequestContext, image_id: str) -> Awaitable[None]:
        """
        Forget an image and remove its file.

        @raise ImageNotFound: there is none that the caller may see.
        @raise ForeignImage: it is another project's.
        """

    def fetch(context: RequestContext, image_id: str, path: str) -> Awaitable[int]:
        """
        Write the image's file to C{path} as it arrives; returns its size in bytes.

        C{path} is made or overwritten; it is not safe on disk when this returns.

        @raise ImageNotFound: there is none that the caller may see.
        @raise ImageUnavailable: it is not C{available}.
        @raise ImageError: the transfer broke off or was not what the registry says.
        """


class IDepot(Interface):
    """Where images' files go that nova-objectstore makes, if they do not stay with it."""

    def take(image: Image, path: str) -> Awaitable[None]:
        """
        Take over an image as its row says, with the file at C{path}; the row is gone then.

        May be repeated, whatever became of it before.

        @raise ImageNotFound, ImageUnavailable: it is not wanted any more, and not kept.
        @raise ImageError: it can't be taken; it will be of no use to repeat this.
        @raise Unavailable: the depot, or the database, does not answer.
        """

    def discard(image_id: str) -> Awaitable[None]:
        """
        Keep nothing of an image whose row is still there.

        @raise Unavailable: the depot, or the database, does not answer.
        """
