"""
C{uec-publish-tarball} and C{uec-publish-image}, with the options of cloud-utils.
                                                                            [spec/04 section 6]
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from nova_tx.local.publish import (
    NONE,
    Chosen,
    File,
    Wanted,
    bundle_arch,
    publish_tarball,
    publisher,
)
from nova_tx.local.terminal import Bar, LocalError, Say, end_cleanly, say
from nova_tx.objectstore.faults import InvalidBucketName
from nova_tx.objectstore.names import check_bucket

TARBALL, IMAGE = "uec-publish-tarball", "uec-publish-image"
#: Exit status of who was asked to end.
INTERRUPTED = 130
#: What a type may be called, and what it is.
TYPES = {
    "auto": None,
    "image": "image",
    "kernel": "kernel",
    "vmlinuz": "kernel",
    "ramdisk": "ramdisk",
    "initrd": "ramdisk",
}
_ARCHITECTURES = ("i386", "x86_64", "amd64")


class _Parser(argparse.ArgumentParser):
    """One that ends with status 1, as the originals do."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}\n")


def _boots(parser: argparse.ArgumentParser) -> None:
    """What both programs can be told of kernel and ramdisk."""
    for letter, what in (("k", "kernel"), ("r", "ramdisk")):
        either = parser.add_mutually_exclusive_group()
        either.add_argument(
            f"-{letter}",
            f"--{what}",
            metavar="ID",
            help=f"{what} that is registered already; none for no {what}",
        )
        either.add_argument(
            f"-{letter.upper()}",
            f"--{what}-file",
            metavar="FILE",
            type=_existing,
            help=f"publish FILE, and use it as {what}",
        )


def _both(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-d",
        "--working-dir",
        metavar="DIR",
        type=Path,
        help="where bundles are kept until they are registered",
    )
    parser.add_argument(
        "--allow-existing",
        action="store_true",
        help="what is registered already is taken as it is",
    )


def _existing(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a file")
    return path.resolve()


def _bucket(text: str) -> str:
    try:
        return check_bucket(text.rstrip("/"))
    except InvalidBucketName as reason:
        raise argparse.ArgumentTypeError(str(reason)) from None


def _name(text: str) -> str:
    """What a file may be called beside others."""
    if text in ("", ".", "..") or "/" in text or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a file")
    return text


def tarball_parser() -> argparse.ArgumentParser:
    """What C{uec-publish-tarball} takes."""
    parser = _Parser(TARBALL, description="Bundle, upload and register the image of a tarball.")
    _boots(parser)
    _both(parser)
    for what in ("image", "kernel", "ramdisk"):
        parser.add_argument(
            f"--rename-{what}", metavar="NAME", type=_name, help=f"publish the {what} as NAME"
        )
    parser.add_argument("-l", "--use-loader", action="store_true", help="use the loader as kernel")
    parser.add_argument(
        "--add-launch",
        metavar="USER",
        action="append",
        default=[],
        help="who may launch them, too; all for everybody",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing but the ids")
    parser.add_argument("tarball", type=Path)
    parser.add_argument("bucket", type=_bucket)
    parser.add_argument("arch", nargs="?", choices=_ARCHITECTURES)
    return parser


def image_parser() -> argparse.ArgumentParser:
    """What C{uec-publish-image} takes."""
    parser = _Parser(IMAGE, description="Bundle, upload and register one file.")
    _boots(parser)
    _both(parser)
    parser.add_argument(
        "-l",
        "--add-launch",
        metavar="USER",
        action="append",
        default=[],
        help="who may launch it, too; all for everybody, none for nobody",
    )
    parser.add_argument("-t", "--type", choices=tuple(TYPES), default="auto", help="what it is")
    parser.add_argument("--rename", metavar="NAME", type=_name, help="publish it as NAME")
    parser.add_argument("--name", help="the image's name in the registry; none for none")
    parser.add_argument("-o", "--output", metavar="FILE", help="append id and manifest to FILE")
    parser.add_argument("-n", "--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("-v", "--verbose", action="store_true", help="say what is done")
    parser.add_argument("arch", choices=_ARCHITECTURES)
    parser.add_argument("image", type=_existing)
    parser.add_argument("bucket", type=_bucket)
    return parser


def _quiet(_text: str) -> None:
    """Nobody wants to hear it."""


def _unseen(title: str, total: int) -> Bar:
    return Bar(title, total, io.StringIO())


def tarball(argv: Sequence[str]) -> None:
    """
    C{uec-publish-tarball}: the ids on the last line of stdout.

    @raise LocalError: it can't be done; the reason as a sentence.
    """
    parser = tarball_parser()
    said = parser.parse_intermixed_args(argv)
    if said.use_loader and said.kernel:
        parser.error("--use-loader is incompatible with --kernel")
    wanted = Wanted(
        kernel=said.kernel,
        kernel_file=said.kernel_file,
        ramdisk=said.ramdisk,
        ramdisk_file=said.ramdisk_file,
        rename_image=said.rename_image,
        rename_kernel=said.rename_kernel,
        rename_ramdisk=said.rename_ramdisk,
        use_loader=said.use_loader,
        launch=_launchers(said.add_launch),
        allow_existing=said.allow_existing,
        directory=said.working_dir,
    )
    tell: Say = _quiet if said.quiet else say
    bar = _unseen if said.quiet else Bar
    print(publish_tarball(said.tarball, said.bucket, said.arch, say=tell, wanted=wanted, bar=bar))


def image(argv: Sequence[str]) -> None:
    """
    C{uec-publish-image}: id and location on stdout, with a tab between them.

    @raise LocalError: it can't be done; the reason as a sentence.
    """
    parser = image_parser()
    said = parser.parse_intermixed_args(argv)
    what = TYPES[said.type] or kind(said.image)
    boots = (said.kernel, said.kernel_file, said.ramdisk, said.ramdisk_file)
    if what != "image" and any(boots):
        parser.error(f"a {what} has no kernel or ramdisk")
    name = said.rename or said.image.name
    location = f"{said.bucket}/{name}.manifest.xml"
    if said.dry_run:
        say(f"[{what}] {said.image} => {location}")
        print(f"{ {'kernel': 'eki', 'ramdisk': 'eri'}.get(what, 'emi') }-xxxxxxxx\t{location}")
        return
    wanted = Wanted(
        kernel=said.kernel,
        ramdisk=said.ramdisk,
        rename_image=name,
        name=None if said.name in (None, "", NONE) else said.name,
        launch=_launchers(said.add_launch),
        allow_existing=said.allow_existing,
        directory=said.working_dir,
    )
    tell: Say = say if said.verbose else _quiet
    with publisher(said.bucket, bundle_arch(said.arch, ""), wanted, say=tell) as work:
        if what == "image":
            chosen = Chosen(said.kernel_file, said.ramdisk_file, said.image)
            image_id = work.publish(chosen, wanted).image
        else:
            image_id = work.alone(File(what, said.image, name), wanted)
    line = f"{image_id}\t{location}\n"
    if said.output in (None, "-"):
        sys.stdout.write(line)
        return
    try:
        with open(said.output, "a", encoding="utf-8") as file:
            file.write(line)
    except OSError as reason:
        raise LocalError(f"{said.output} can't be written: {reason.strerror}.") from None


def _launchers(users: Sequence[str]) -> tuple[str, ...]:
    """Who may launch: C{none} takes back those before it."""
    found: list[str] = []
    for user in users:
        found = [] if user == NONE else [*found, user]
    return tuple(found)


def kind(path: Path) -> str:
    """
    What a file is, by its content.

    @raise LocalError: that can't be told.
    """
    with open(path, "rb") as file:
        head = file.read(4096)
    plain = _plain(head)
    if head[0x202:0x206] == b"HdrS" or plain[56:60] == b"ARM\x64":
        return "kernel"
    if plain.startswith((b"070701", b"070702")):
        return "ramdisk"
    if head[0x438:0x43A] == b"\x53\xef" or head[510:512] == b"\x55\xaa":
        return "image"
    raise LocalError(f"What {path} is can't be told: say --type.")


def _plain(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, 64)
    except zlib.error:
        return head


def main(argv: Sequence[str] | None = None) -> int:
    """One of the two, which the first word names."""
    path, *words = sys.argv if argv is None else argv
    program = os.path.basename(path)
    try:
        (tarball if program == TARBALL else image)(words)
    except LocalError as reason:
        say(f"{program}: {reason}")
        return 1
    except KeyboardInterrupt:
        say(f"{program}: interrupted; run it again to go on.")
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    end_cleanly()
    status = main(sys.argv[1:])
    if status == INTERRUPTED:
        sys.stderr.flush()
        os._exit(status)  # without the threads that wait for the network
    sys.exit(status)
