"""Who may see an image, what of it, and what a change makes of it."""

from __future__ import annotations

from dataclasses import replace

from nova_tx.context import RequestContext
from nova_tx.model.images import Image, ImageChange


def may_see(context: RequestContext, image: Image) -> bool:
    """Whether an image is there for a caller, who is told all its launch permissions."""
    launchers = (image.owner, *image.launch_projects)
    return context.is_admin or image.is_public or context.project in launchers


def may_change(context: RequestContext, image: Image) -> bool:
    """Whether an image is the caller's to change."""
    return context.is_admin or image.owner == context.project


def seen(context: RequestContext, image: Image) -> Image:
    """An image as a caller sees it: who else may launch another's is not told."""
    if may_change(context, image):
        return image
    oneself = tuple(each for each in image.launch_projects if each == context.project)
    return replace(image, launch_projects=oneself)


def changed(image: Image, wanted: ImageChange) -> Image:
    """An image as it is after a change."""
    left = set() if wanted.reset else set(image.launch_projects) - set(wanted.remove)
    is_public = image.is_public and not wanted.reset
    name, description = wanted.display_name, wanted.description
    return replace(
        image,
        is_public=is_public if wanted.is_public is None else wanted.is_public,
        launch_projects=tuple(sorted(left | set(wanted.add))),
        display_name=image.display_name if name is None else name,
        description=image.description if description is None else description,
    )
