"""Words that a shell completes."""

from __future__ import annotations

from nova_tx.manage import shells
from nova_tx.manage.parts import Parts

#: Nothing is asked of the database.
DATABASE = "none"


def bash(parts: Parts) -> None:
    """Print what makes bash complete: . <(nova-manage completion bash)."""
    print(shells.bash(), end="")


def zsh(parts: Parts) -> None:
    """Print what makes zsh complete: . <(nova-manage completion zsh)."""
    print(shells.zsh(), end="")
