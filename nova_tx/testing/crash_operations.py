"""What users ask a cloud for again and again, while its daemons die.  See L{crashing}."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from uuid import uuid4

from nova_tx import states
from nova_tx.ids import instance_ec2_id
from nova_tx.objectstore.disk.files import pieces, runs_of
from nova_tx.objectstore.disk.store import Store
from nova_tx.testing.crashing import CrashingCloud
from nova_tx.testing.daemons import until


class Run:
    """RunInstances, on a host that has not the image yet, by an API that was not asked of late."""

    name = "RunInstances"

    def prepare(self, cloud: CrashingCloud) -> None:
        shutil.rmtree(cloud.directory / "instances" / "_base")
        (cloud.directory / "instances" / "_base").mkdir()
        # whose image is changed through an API, the API looks at it again
        cloud.ec2.modify_image_attribute(ImageId=cloud.image, Description={"Value": "boots"})

    def perform(self, cloud: CrashingCloud) -> None:
        cloud.ec2.run_instances(ImageId=cloud.image, MinCount=1, MaxCount=1, InstanceType="m1.tiny")

    def complaints(self, cloud: CrashingCloud) -> Iterator[str]:
        """All that was asked for runs."""
        for each in cloud.instances(states.SHUTDOWN, states.ERROR):
            yield f"instance {each} does not run"


class _OnOne:
    """
    What is done to an instance that runs.

    @ivar other: the state it may be in beside running: what was asked for, or, if nobody ever
        heard of that, what it was.
    """

    chosen = 0
    other = states.RUNNING

    def prepare(self, cloud: CrashingCloud) -> None:
        if not cloud.instances(states.RUNNING):
            Run().perform(cloud)
            until(lambda: cloud.instances(states.RUNNING), "an instance")
        self.chosen = cloud.instances(states.RUNNING)[0]

    @property
    def ids(self) -> list[str]:
        return [instance_ec2_id(self.chosen)]

    def complaints(self, cloud: CrashingCloud) -> Iterator[str]:
        """It is as it was, or as it should be."""
        wanted = {states.RUNNING, self.other}
        if self.chosen not in cloud.instances(*wanted):
            yield f"instance {self.chosen} is not {' or '.join(sorted(wanted))}"


class Terminate(_OnOne):
    """TerminateInstances."""

    name = "TerminateInstances"
    other = states.TERMINATED

    def perform(self, cloud: CrashingCloud) -> None:
        cloud.ec2.terminate_instances(InstanceIds=self.ids)


class Reboot(_OnOne):
    """RebootInstances."""

    name = "RebootInstances"

    def perform(self, cloud: CrashingCloud) -> None:
        cloud.ec2.reboot_instances(InstanceIds=self.ids)


class Stop(_OnOne):
    """StopInstances."""

    name = "StopInstances"
    other = states.SHUTDOWN

    def perform(self, cloud: CrashingCloud) -> None:
        cloud.ec2.stop_instances(InstanceIds=self.ids)


class Start(_OnOne):
    """StartInstances."""

    name = "StartInstances"
    other = states.SHUTDOWN

    def prepare(self, cloud: CrashingCloud) -> None:
        if not cloud.instances(states.SHUTDOWN):
            stop = Stop()
            stop.prepare(cloud)
            stop.perform(cloud)
            until(lambda: cloud.instances(states.SHUTDOWN), "a stopped instance")
        self.chosen = cloud.instances(states.SHUTDOWN)[0]

    def perform(self, cloud: CrashingCloud) -> None:
        cloud.ec2.start_instances(InstanceIds=self.ids)


class Rescue(_OnOne):
    """RescueInstance, on a host that has not the rescue image any more."""

    name = "RescueInstance"
    other = states.RESCUED

    def prepare(self, cloud: CrashingCloud) -> None:
        super().prepare(cloud)
        Run().prepare(cloud)

    def perform(self, cloud: CrashingCloud) -> None:
        cloud.old_ec2.get_status(self.name, {"InstanceId": self.ids[0]}, verb="POST")


class Unrescue(_OnOne):
    """UnrescueInstance."""

    name = "UnrescueInstance"
    other = states.RESCUED

    def prepare(self, cloud: CrashingCloud) -> None:
        if not cloud.instances(states.RESCUED):
            rescue = Rescue()
            rescue.prepare(cloud)
            rescue.perform(cloud)
            until(lambda: cloud.instances(states.RESCUED), "a rescued instance")
        self.chosen = cloud.instances(states.RESCUED)[0]

    def perform(self, cloud: CrashingCloud) -> None:
        cloud.old_ec2.get_status(self.name, {"InstanceId": self.ids[0]}, verb="POST")


class CreateImage(_OnOne):
    """CreateImage of an instance that runs, and is switched off for it."""

    name = "CreateImage"

    def perform(self, cloud: CrashingCloud) -> None:
        cloud.ec2.create_image(InstanceId=self.ids[0], Name=f"copy-{uuid4().hex}")

    def complaints(self, cloud: CrashingCloud) -> Iterator[str]:
        """The instance runs again, and every image that was announced is there."""
        yield from super().complaints(cloud)
        for image_id, state in cloud.image_states().items():
            if state != "available":
                yield f"image {image_id} is {state}"


class Register:
    """RegisterImage."""

    name = "RegisterImage"

    def prepare(self, cloud: CrashingCloud) -> None:
        """The bundle is there."""

    def perform(self, cloud: CrashingCloud) -> None:
        name = f"again-{secrets.token_hex(4)}"
        cloud.ec2.register_image(Name=name, ImageLocation="images/disk.manifest.xml")

    def complaints(self, cloud: CrashingCloud) -> Iterator[str]:
        """Nothing is wrong with the bundle."""
        for image_id, state in cloud.image_states().items():
            if state != "available":
                yield f"image {image_id} is {state}"


class RegisterPlain(Register):
    """RegisterImage of a disk that lies in a bucket as qemu-img made it, packed."""

    name = "RegisterImage of a plain file"

    def prepare(self, cloud: CrashingCloud) -> None:
        raw, disk = cloud.directory / "plain.raw", cloud.directory / "plain.qcow2"
        raw.write_bytes(b"a disk as it is " * 65536)
        subprocess.run(("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, disk), check=True)
        packed = subprocess.run(("zstd", "-c", disk), check=True, capture_output=True).stdout
        cloud.s3.put_object(Bucket="images", Key="plain", Body=packed)

    def perform(self, cloud: CrashingCloud) -> None:
        name = f"plain-{secrets.token_hex(4)}"
        cloud.ec2.register_image(Name=name, ImageLocation="images/plain")


class Deregister(Register):
    """DeregisterImage."""

    name = "DeregisterImage"
    chosen = ""

    def prepare(self, cloud: CrashingCloud) -> None:
        if len(cloud.image_states()) < 2:
            super().perform(cloud)
            cloud.settle(self)
        self.chosen = next(each for each in cloud.image_states() if each != cloud.image)

    def perform(self, cloud: CrashingCloud) -> None:
        cloud.ec2.deregister_image(ImageId=self.chosen)


class Upload:
    """PUT of an object whose key is long enough for a directory."""

    name = "PutObject"
    content = os.urandom(1000)

    def prepare(self, cloud: CrashingCloud) -> None:
        """The bucket is there."""

    def perform(self, cloud: CrashingCloud) -> None:
        cloud.s3.put_object(Bucket="images", Key="k" * 100, Body=self.content)

    def complaints(self, cloud: CrashingCloud) -> Iterator[str]:
        """It is there, whole, or it is not: that much is an invariant."""
        yield from ()


class UploadInParts:
    """An object that comes in parts, and replaces one that did."""

    name = "CompleteMultipartUpload"
    old, new = (os.urandom(1000), os.urandom(100_000))
    of = {"Bucket": "images", "Key": "p" * 100}

    def prepare(self, cloud: CrashingCloud) -> None:
        for each in cloud.s3.list_multipart_uploads(Bucket="images").get("Uploads", ()):
            cloud.s3.abort_multipart_upload(**self.of, UploadId=each["UploadId"])
        self._upload(cloud, self.old)

    def perform(self, cloud: CrashingCloud) -> None:
        self._upload(cloud, self.new)

    def _upload(self, cloud: CrashingCloud, content: bytes) -> None:
        of = {**self.of, "UploadId": cloud.s3.create_multipart_upload(**self.of)["UploadId"]}
        made = cloud.s3.upload_part(PartNumber=7, Body=content, **of)
        parts = [{"PartNumber": 7, "ETag": made["ETag"]}]
        done = {"MultipartUpload": {"Parts": parts}, **of}
        cloud.s3.complete_multipart_upload(**done)
        cloud.s3.complete_multipart_upload(**done)  # again is nothing

    def complaints(self, cloud: CrashingCloud) -> Iterator[str]:
        """The old object is there or the new one; an upload may still go on."""
        file, facts = Store(str(cloud.scene.buckets_path)).open(*self.of.values())
        if b"".join(pieces(file, runs_of(file, facts))) not in (self.old, self.new):
            yield "the object is neither the old nor the new one"


OPERATIONS = (
    *(Run, Terminate, Reboot, Stop, Start, Rescue, Unrescue),
    *(Register, RegisterPlain, Deregister, Upload, UploadInParts, CreateImage),
)
