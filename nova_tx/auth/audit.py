"""Who was given which role: a line in the log for each, whatever users are kept in.  [spec/09]"""

from __future__ import annotations

from twisted.logger import Logger

_log = Logger()


def adding(user_id: str, role: str, project_id: str | None) -> None:
    """A role is about to be granted."""
    if project_id is None:
        _log.info("Adding sitewide role {role} to user {user}", role=role, user=user_id)
    else:
        _log.info(
            "Adding role {role} to user {user} in project {project}",
            role=role,
            user=user_id,
            project=project_id,
        )


def removing(user_id: str, role: str, project_id: str | None) -> None:
    """A role is about to be taken back."""
    if project_id is None:
        _log.info("Removing sitewide role {role} from user {user}", role=role, user=user_id)
    else:
        _log.info(
            "Removing role {role} from user {user} on project {project}",
            role=role,
            user=user_id,
            project=project_id,
        )
