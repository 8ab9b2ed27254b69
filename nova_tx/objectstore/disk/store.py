"""
Files of objects. Everything here blocks: call it in a thread.

An object comes into being by a rename, after its bytes are safe; what is
changed of it then is in a file beside it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, ParamSpec, TypeVar

from twisted.logger import Logger

from nova_tx.errors import BucketNotFound, KeyNotFound, NovaError
from nova_tx.objectstore.bounds import GATHERED, SMALL
from nova_tx.objectstore.disk.buckets import Buckets, forget
from nova_tx.objectstore.disk.files import (
    Kept,
    Runs,
    changed_facts,
    changes_bytes,
    facts_bytes,
    kept_of,
    read_runs,
    start_writing,
    write_small,
)
from nova_tx.objectstore.disk.paths import beside, path_of
from nova_tx.objectstore.disk.reach import TO_DISK, TO_MEMORY, OutOfReach, Reach
from nova_tx.objectstore.disk.tree import Entry, below, prune
from nova_tx.objectstore.facts import Facts, Listing
from nova_tx.objectstore.faults import Damaged
from nova_tx.objectstore.interfaces import Condition
from nova_tx.objectstore.names import check_key
from nova_tx.objectstore.pages import Page

P = ParamSpec("P")
T = TypeVar("T")

_log = Logger()


@dataclass(frozen=True)
class New:
    """A small object that is to be stored."""

    bucket: str
    key: str
    content: bytes
    facts: Facts
    condition: Condition | None = None


@dataclass(frozen=True)
class Look:
    """
    An object to send.

    @ivar runs: where its bytes are in its file or its content.
    @ivar file: as by L{Store.open}; None: its bytes are few, and C{content}.
    """

    facts: Facts
    runs: Runs
    file: BinaryIO | None = None
    content: bytes = b""


class Store(Buckets):
    """Objects in buckets."""

    def begin(self) -> tuple[str, BinaryIO]:
        """A new file for the bytes of an upload, and its path for L{commit} or L{abort}."""
        path = self.unnamed()
        return path, open(path, "xb", buffering=GATHERED)

    def commit(
        self,
        path: str,
        file: BinaryIO,
        bucket: str,
        key: str,
        facts: Facts,
        condition: Condition | None = None,
    ) -> None:
        """
        Make an upload the object; when this returns it is safe on the disk.

        @raise BucketNotFound: the bucket was removed meanwhile.
        @raise PreconditionFailed: by the condition.
        """
        with file:
            file.write(facts_bytes(facts))
            file.flush()
            if self.to_disk:
                os.fsync(file.fileno())
        self.sync(self.name(path, bucket, key, condition))

    def held(self, bucket: str, key: str) -> int | None:
        """
        A descriptor of an object that is to be replaced; None if there is none.

        Its bytes are freed when that is closed, and not while others wait for the new name: a
        gigabyte takes the kernel a quarter of a second.
        """
        try:
            path = os.path.join(self.objects(bucket), *path_of(check_key(key)))
            return os.open(path, os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put(self, objects: Sequence[New]) -> list[Exception | None]:
        """
        Store some objects, safe on the disk when this returns; for each, why it is not.

        The disk is given all of them before the first is waited for.
        """
        results: list[Exception | None] = []
        directories: dict[str, None] = {}
        begun = [self._try(self._write, each) for each in objects]
        if len(begun) > 1 and self.to_disk:
            for each in begun:
                if not isinstance(each, Exception):
                    start_writing(each[1])
        for new, found in zip(objects, begun, strict=True):
            changed = found if isinstance(found, Exception) else self._try(self._end, new, *found)
            if isinstance(changed, Exception):
                results.append(changed)
            else:
                directories.update(dict.fromkeys(changed))
                results.append(None)
        self.sync(directories)
        return results

    def _try(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Exception:
        try:
            return work(*args, **kwargs)
        except Exception as error:
            return error

    def _write(self, new: New) -> tuple[str, int]:
        path = self.unnamed()
        try:
            return path, write_small(path, new.content + facts_bytes(new.facts))
        except BaseException:
            forget(path)
            raise

    def _end(self, new: New, path: str, descriptor: int) -> Iterable[str]:
        try:
            try:
                self.settle(descriptor)
            finally:
                os.close(descriptor)
            return self.name(path, new.bucket, new.key, new.condition)
        except BaseException:
            forget(path)
            raise

    def name(self, path: str, bucket: str, key: str, condition: Condition | None) -> Iterable[str]:
        """
        Give a new file its name; returns the directories that are changed, the last one first.

        @raise BucketNotFound: the bucket was removed meanwhile.
        @raise PreconditionFailed: by the condition.
        """
        chain = self.directories(bucket, key)
        name = path_of(check_key(key))[-1]
        with self.names:
            if condition is not None:
                condition(self._now(bucket, key))
            try:
                for directory in chain[1:]:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(directory, 0o700)
                os.replace(path, os.path.join(chain[-1], name))
            except FileNotFoundError:
                raise BucketNotFound(f"the bucket {bucket} does not exist") from None
        return reversed(chain)

    def abort(self, path: str, file: BinaryIO) -> None:
        """Forget an upload that was not committed."""
        with contextlib.suppress(OSError):
            file.close()
        forget(path)

    def open(self, bucket: str, key: str) -> tuple[BinaryIO, Facts]:
        """
        An object's file, at its first byte, and its facts; it stays readable if replaced.

        @raise BucketNotFound, KeyNotFound: there is none.
        """
        self.bucket(bucket)
        descriptor, kept = self._find(bucket, key)
        return os.fdopen(descriptor, "rb", buffering=0), kept.facts

    def _find(self, bucket: str, key: str, reach: Reach = TO_DISK) -> tuple[int, Kept]:
        path = os.path.join(self.objects(bucket), *path_of(check_key(key)))
        try:
            descriptor = reach.open(path)
        except (FileNotFoundError, NotADirectoryError):
            raise KeyNotFound("the key does not exist") from None
        try:
            kept = kept_of(descriptor, reach)
            facts = _as_changed(path, kept.facts, reach)
            return descriptor, kept if facts is kept.facts else replace(kept, facts=facts)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, ValueError | TypeError | KeyError):
                raise Damaged(f"the object {bucket}/{key} is damaged: {error}") from None
            raise

    def _now(self, bucket: str, key: str) -> Facts | None:
        try:
            # buckets are read under the lock that is held
            descriptor, kept = self._find(bucket, key)
        except KeyNotFound:
            return None
        os.close(descriptor)
        return kept.facts

    def look(self, bucket: str, key: str) -> Look:
        """
        An object to send.

        @raise BucketNotFound, KeyNotFound: there is none.
        """
        self.bucket(bucket)
        return self._look(bucket, key, TO_DISK)

    def glance(self, bucket: str, key: str) -> Look | None:
        """
        What L{look} finds, if the kernel has it in memory; None: it has to be looked for.

        Does not block.
        """
        if self.known(bucket) is None:
            return None
        try:
            return self._look(bucket, key, TO_MEMORY)
        except (OutOfReach, OSError, NovaError):
            return None

    def _look(self, bucket: str, key: str, reach: Reach) -> Look:
        descriptor, kept = self._find(bucket, key, reach)
        if kept.facts.size > SMALL:
            return Look(kept.facts, kept.runs, os.fdopen(descriptor, "rb", buffering=0))
        try:
            content = read_runs(descriptor, kept.runs, reach)
        finally:
            os.close(descriptor)
        return Look(kept.facts, ((0, kept.facts.size),), content=content)

    def change(self, bucket: str, key: str, change: Callable[[Facts], Facts]) -> Facts:
        """
        Change an object's grants and tags: in a file beside it, which says of which object.

        @raise BucketNotFound, KeyNotFound: there is none.
        """
        *above, name = path_of(check_key(key))
        directory = os.path.join(self.objects(bucket), *above)
        new = self.unnamed()
        with self.changes:
            file, facts = self.open(bucket, key)
            file.close()
            changed = change(facts)
            try:
                with open(new, "xb") as file:
                    file.write(changes_bytes(changed))
                    file.flush()
                    if self.to_disk:
                        os.fsync(file.fileno())
                with self.names:
                    # one that was removed meanwhile is not to leave this behind
                    os.stat(os.path.join(directory, name))
                    os.replace(new, os.path.join(directory, beside(name)))
            except FileNotFoundError:
                raise KeyNotFound("the key does not exist") from None
            finally:
                forget(new)
        self.sync([directory])
        return changed

    def remove(self, bucket: str, key: str, condition: Condition | None = None) -> None:
        """
        Remove an object; one that is not there is nothing.

        @raise BucketNotFound: there is no such bucket.
        @raise PreconditionFailed: by the condition.
        """
        [result] = self.remove_all(bucket, [(key, condition)])
        if result is not None:
            raise result

    def remove_all(
        self, bucket: str, keys: Sequence[tuple[str, Condition | None]]
    ) -> list[Exception | None]:
        """
        Remove some objects; for each, why it is not.

        @raise BucketNotFound: there is no such bucket.
        """
        self.bucket(bucket)
        changed = [self._try(self._unlink, bucket, key, condition) for key, condition in keys]
        self.sync(dict.fromkeys(each for each in changed if isinstance(each, str)))
        return [each if isinstance(each, Exception) else None for each in changed]

    def _unlink(self, bucket: str, key: str, condition: Condition | None) -> str | None:
        """Remove an object; returns the directory that is changed, if there is one."""
        *above, name = path_of(check_key(key))
        objects = self.objects(bucket)
        directory = os.path.join(objects, *above)
        held = self.held(bucket, key)
        try:
            with self.names:
                if condition is not None:
                    condition(self._now(bucket, key))
                try:
                    os.unlink(os.path.join(directory, name))
                except FileNotFoundError:
                    return None
                forget(os.path.join(directory, beside(name)))
                return prune(directory, objects)
        finally:
            if held is not None:
                os.close(held)

    def listing(self, bucket: str, prefix: str, after: str, delimiter: str, limit: int) -> Listing:
        """
        The first C{limit} keys and common prefixes that begin with C{prefix} and
        come after C{after}; fewer if they are long, see L{Page}.

        @param delimiter: keys that have it after the prefix are shown as one; "" for none.
        @raise BucketNotFound: there is no such bucket.
        """
        self.bucket(bucket)
        page: Page[Entry] = Page(prefix, after, delimiter, limit)
        for each in below(self.objects(bucket), prefix.encode(), after.encode()):
            page.add(each.key.decode(), each)
            if page.full:
                break
        known = ((key, self._listed(entry)) for key, entry in page.found)
        objects = tuple((key, facts) for key, facts in known if facts is not None)
        return Listing(objects, tuple(page.prefixes), page.end)

    def _listed(self, entry: Entry) -> Facts | None:
        """The facts of an object; of one that is damaged what can be seen."""
        try:
            return entry.facts()
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            _log.error("{path} is damaged: {error}", path=entry.path, error=str(error))
            seen = os.stat(entry.path)
            return Facts(seen.st_size, "", seen.st_mtime, {}, {})

    def directories(self, bucket: str, key: str) -> list[str]:
        """Those that an object is in, its bucket's first."""
        chain = [self.objects(bucket)]
        for piece in path_of(check_key(key))[:-1]:
            chain.append(os.path.join(chain[-1], piece))
        return chain


def _as_changed(path: str, facts: Facts, reach: Reach) -> Facts:
    """The facts of an object with what was changed of it since."""
    directory, name = os.path.split(path)
    try:
        descriptor = reach.open(os.path.join(directory, beside(name)))
    except FileNotFoundError:
        return facts
    try:
        changes = reach.read(descriptor, os.fstat(descriptor).st_size, 0)
    finally:
        os.close(descriptor)
    return changed_facts(facts, changes)
