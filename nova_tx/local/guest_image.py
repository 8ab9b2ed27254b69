"""
A small guest image (UEC tarball) out of the distribution's own packages: no root, no compiler.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nova_tx.local import cpio, kernel_modules, tarballs
from nova_tx.local.places import cache_directory, locked
from nova_tx.local.terminal import LocalError, Say, say

_GUEST = Path(__file__).with_name("guest")
_ROOT_MIB = 32
_LABEL = "uec-rootfs"
_MODULES = (
    *("virtio_pci", "virtio_mmio", "virtio_blk", "virtio_net", "virtio_scsi", "sd_mod"),
    *("virtio_balloon", "virtio_rng", "crc32c_generic", "ext4", "button", "evdev"),
)


@dataclass(frozen=True)
class Machine:
    """
    For what a guest is built: this machine's kind, for nothing else runs at a bearable speed.

    @ivar distribution: C{ID} of os-release.
    @ivar architecture: as dpkg says it.
    """

    distribution: str
    release: str
    architecture: str

    @property
    def kernel_package(self) -> str:
        """The package that depends on the newest kernel made for virtual machines."""
        if self.distribution == "ubuntu":
            return "linux-image-virtual"
        if self.architecture in ("amd64", "arm64"):
            return f"linux-image-cloud-{self.architecture}"
        return f"linux-image-{self.architecture}"

    @property
    def console(self) -> str:
        """The first serial port."""
        return "ttyAMA0" if self.architecture == "arm64" else "ttyS0"

    @property
    def name(self) -> str:
        """Begin of the names of all files; the publishing tool reads the architecture in it."""
        return f"nova-guest-{self.architecture}"


def this_machine() -> Machine:
    """
    What this machine is.

    @raise LocalError: it is not of Debian's family.
    """
    release: dict[str, str] = {}
    for line in Path("/etc/os-release").read_text().splitlines():
        key, _, value = line.partition("=")
        release[key] = value.strip('"')
    try:
        architecture = _run(["dpkg", "--print-architecture"]).strip()
    except FileNotFoundError:
        raise LocalError("A guest image is made of Debian's packages; this is no Debian.") from None
    family = f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".split()
    distribution = "ubuntu" if "ubuntu" in family else "debian"
    return Machine(distribution, release.get("VERSION_CODENAME", ""), architecture)


def recipe(machine: Machine) -> str:
    """A digest of all that decides how the image comes out, but the packages' versions."""
    digest = hashlib.sha256(repr(machine).encode())
    sources = [Path(__file__), Path(cpio.__file__), Path(kernel_modules.__file__)]
    for path in [*sources, *sorted(p for p in _GUEST.rglob("*") if p.is_file())]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def build(output: Path | None = None, say: Say = say) -> Path:
    """
    Make the tarball, or take the one made before; returns where it is.

    @param output: where it is wanted; by default it stays in the cache.
    @raise LocalError: a package can't be had, or a program is missing.
    """
    machine = this_machine()
    cache = cache_directory()
    made = cache / f"{machine.name}-{recipe(machine)}.tar.gz"
    with locked(cache / "guest-image.lock"):
        if not made.exists():
            with tempfile.TemporaryDirectory(dir=cache, prefix="guest-image-") as work:
                _make(machine, Path(work), made, say)
    if output is None:
        return made
    if output.is_dir():
        output = output / f"{machine.name}.tar.gz"
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        shutil.copyfile(made, temporary)
        os.replace(temporary, output)
    except OSError as reason:
        temporary.unlink(missing_ok=True)
        raise LocalError(f"{output} can't be written: {reason.strerror}.") from None
    return output


def unpack(tarball: Path, directory: Path) -> tuple[Path, Path, Path]:
    """Kernel, ramdisk and disk of a tarball that L{build} made."""
    tarballs.unpack(tarball, directory)
    found = {path.name.rsplit("-", 1)[-1].rsplit(".", 1)[-1]: path for path in directory.iterdir()}
    return found["vmlinuz"], found["initrd"], found["img"]


def _make(machine: Machine, work: Path, made: Path, say: Say) -> None:
    packages = work / "packages"
    packages.mkdir()
    say("guest image: fetching packages")
    names = [*_closure([machine.kernel_package], "linux-"), *_closure(["dropbear-bin"], "lib")]
    names = [n for n in names if n != machine.kernel_package] + ["busybox-static"]
    _download(names, packages)
    tree = work / "tree"
    for package in sorted(packages.glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(tree)])
    say("guest image: making the disk")
    files = work / machine.name
    files.mkdir()
    kernels = sorted((tree / "boot").glob("vmlinuz-*"))
    if not kernels:
        raise LocalError(f"Package {machine.kernel_package} brought no kernel.")
    shutil.copyfile(kernels[-1], files / f"{machine.name}-vmlinuz")
    (files / f"{machine.name}-initrd").write_bytes(_ramdisk(tree, work / "initrd"))
    _disk(machine, tree, work / "root", files / f"{machine.name}.img")
    unfinished = work / "tarball"
    with tarfile.open(unfinished, "w:gz", compresslevel=6) as archive:
        for path in sorted(files.iterdir()):
            archive.add(path, path.name, filter=_anonymous)
    for old in made.parent.glob(f"{machine.name}-*.tar.gz"):
        old.unlink()
    os.replace(unfinished, made)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode = 0o644
    return member


def _closure(names: Sequence[str], prefix: str) -> list[str]:
    """The packages and all they depend on, as far as those names begin with C{prefix}."""
    found = list(names)
    for name in found:
        listing = _run(["apt-cache", "depends", "--important", name])
        for line in listing.splitlines():
            kind, _, other = line.strip().partition(": ")
            wanted = other.startswith(prefix) or other in ("libc6", "zlib1g")
            if kind == "Depends" and wanted and other not in found:
                found.append(other)
    return found


def _download(names: Sequence[str], directory: Path) -> None:
    argv = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *names]
    _run(argv, directory)


def _install_guest(source: Path, target: Path, console: str = "ttyS0") -> None:
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes().replace(b"ttyS0", console.encode())
        copy.write_bytes(content)
        copy.chmod(0o755 if content.startswith(b"#!") else 0o644)


def _ramdisk(tree: Path, directory: Path) -> bytes:
    for name in ("bin", "dev", "lib", "proc", "root", "sys"):
        (directory / name).mkdir(parents=True)
    _install_guest(_GUEST / "initrd", directory)
    _install_busybox(tree, directory / "bin")
    modules = kernel_modules.gather(tree, _MODULES)
    for name, content in modules:
        (directory / "lib" / f"{name}.ko").write_bytes(content)
    (directory / "modules").write_text("".join(f"{name}.ko\n" for name, _ in modules))
    members = cpio.entries(directory)
    # the kernel opens it for init before anything is mounted
    members.append(cpio.Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)))
    return gzip.compress(cpio.archive(members), 6, mtime=0)


def _install_busybox(tree: Path, directory: Path) -> None:
    places = [tree / name for name in ("bin/busybox", "usr/bin/busybox")]
    found = [path for path in places if path.exists()]
    if not found:
        raise LocalError("Package busybox-static brought no busybox.")
    shutil.copy(found[0], directory / "busybox")
    for applet in _run([str(found[0]), "--list"]).split():
        if applet not in ("busybox", "linuxrc"):
            (directory / applet).symlink_to("busybox")


def _disk(machine: Machine, tree: Path, root: Path, image: Path) -> None:
    for name in ("bin", "dev", "lib", "mnt", "proc", "root", "run", "sys", "tmp", "usr", "var/log"):
        (root / name).mkdir(parents=True)
    for name, target in {"sbin": "bin", "lib64": "lib", "usr/bin": "../bin"}.items():
        (root / name).symlink_to(target)
    for name, target in {"usr/sbin": "../bin", "usr/lib": "../lib", "var/run": "../run"}.items():
        (root / name).symlink_to(target)
    _install_guest(_GUEST / "root", root, machine.console)
    (root / "root").chmod(0o700)
    (root / "etc" / "shadow").chmod(0o600)
    _install_busybox(tree, root / "bin")
    for name in ("usr/sbin/dropbear", "usr/bin/dropbearkey"):
        shutil.copy(tree / name, root / "bin")
        for library in _libraries(tree, tree / name):
            shutil.copy(library, root / "lib")
    _filesystem(root, image)


def _libraries(tree: Path, program: Path) -> list[Path]:
    """The shared libraries a program needs and its loader, as the tree's own loader finds them."""
    loaders = [p for p in tree.rglob("ld-linux*.so.*") if p.is_file()]
    places = sorted({str(p.parent) for p in tree.rglob("lib*.so.*")})
    argv = [str(loaders[0]), "--library-path", ":".join(places), "--list", str(program)]
    found = [loaders[0]]
    for line in _run(argv).splitlines():
        name, arrow, rest = line.strip().partition(" => ")
        if arrow and Path(name).name != loaders[0].name:
            path = Path(rest.split(" (")[0])
            if tree not in path.parents:
                raise LocalError(f"Library {name} of the guest's ssh server is in no package.")
            found.append(path)
    return found


def _filesystem(root: Path, image: Path) -> None:
    argv = ["mke2fs", "-q", "-F", "-t", "ext3", "-m", "0", "-L", _LABEL, "-d", str(root)]
    _run([*argv, str(image), f"{_ROOT_MIB}M"])
    # whoever builds owns the files; in the guest root does
    names = ["/", *(f"/{path.relative_to(root)}" for path in sorted(root.rglob("*")))]
    commands = "".join(f'sif "{name}" uid 0\nsif "{name}" gid 0\n' for name in names)
    _run(["debugfs", "-w", "-f", "/dev/stdin", str(image)], stdin=commands)


def _run(argv: Sequence[str], directory: Path | None = None, stdin: str = "") -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"
    environment = {**os.environ, "LC_ALL": "C", "PATH": path}
    try:
        done = subprocess.run(
            argv,
            cwd=directory,
            input=stdin,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError as reason:
        raise LocalError(f"Program {reason.filename} is not installed.") from None
    except subprocess.CalledProcessError as reason:
        last = (reason.stderr or reason.stdout).strip().splitlines()[-3:]
        raise LocalError(f"{' '.join(argv[:3])} failed: {' '.join(last)}") from None
    return done.stdout


def main(argv: Sequence[str]) -> int:
    """C{scripts/build-guest-image [OUTPUT.tar.gz]}: the path of the image on stdout."""
    if len(argv) > 1 or any(word.startswith("-") for word in argv):
        say("usage: build-guest-image [OUTPUT.tar.gz]")
        return 2 if argv[:1] not in (["-h"], ["--help"]) else 0
    try:
        print(build(Path(argv[0]) if argv else None))
    except LocalError as reason:
        say(f"build-guest-image: {reason}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
