"""euca2ools of three ages: requests of the shapes that they send, without euca2ools."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any, ClassVar
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, fromstring

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from ec2_client import Client, States

from nova_tx.api.ec2 import reference
from nova_tx.auth.signatures import v2_signature


class Euca2ools3(Client):
    """euca2ools 3.4: POST, version 4 with an empty region, 2015-10-01."""

    version = "2015-10-01"
    running: ClassVar[str] = "running"

    def has(self, action: str) -> bool:
        return True

    def send(self, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        body = urlencode({**parameters, "Version": self.version}).encode()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        request = AWSRequest("POST", self.url, form, body)
        SigV4Auth(Credentials(self.access, self.secret), "ec2", "us-east-1").add_auth(request)
        return self.exchange("POST", self.path, body, dict(request.headers))

    def exchange(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Send it on a connection of its own."""
        connection = HTTPConnection(self.host, self.port, timeout=60)
        connection.request(method, target, body, dict(headers))
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    def ask(self, action: str, **parameters: str) -> Element:
        """An answer without namespaces; C{Foo_1} is parameter C{Foo.1}."""
        given = {name.replace("_", "."): value for name, value in parameters.items()}
        status, text = self.send({"Action": action, **given})
        assert status == 200, text
        root = fromstring(text)
        assert root.tag == f"{{http://ec2.amazonaws.com/doc/{self.version}/}}{action}Response"
        for each in root.iter():
            each.tag = each.tag.rpartition("}")[2]
        return root

    def refusal(self, instance: str) -> str:
        status, text = self.send({"Action": "TerminateInstances", "InstanceId.1": instance})
        assert status == 400, text
        return fromstring(text).findtext("Errors/Error/Code", "none")

    def done(self, action: str, **parameters: str) -> None:
        """Ask for what is only done: the answer is true."""
        assert self.ask(action, **parameters).findtext("return") == "true"

    def texts(self, path: str, action: str, **parameters: str) -> list[str]:
        return [each.text or "" for each in self.ask(action, **parameters).findall(path)]

    def states(self, item: str, name: str, state: str, action: str, **parameters: str) -> States:
        found = self.ask(action, **parameters).iterfind(item)
        return {each.findtext(name, ""): each.findtext(state, "") for each in found}

    def DescribeRegions(self) -> list[str]:
        return self.texts("regionInfo/item/regionName", "DescribeRegions")

    def DescribeAvailabilityZones(self) -> list[str]:
        rows = self.texts(
            "availabilityZoneInfo/item/zoneName", "DescribeAvailabilityZones", ZoneName_1="verbose"
        )
        assert any(row.startswith("| |- nova-compute") for row in rows)
        return rows[:1]

    def DescribeAccountAttributes(self) -> list[str]:
        path = "accountAttributeSet/item/attributeName"
        return self.texts(path, "DescribeAccountAttributes")

    def DescribeInstanceTypes(self) -> list[str]:
        return self.texts("instanceTypeDetails/item/name", "DescribeInstanceTypes")

    def DescribeSecurityGroups(self) -> list[str]:
        return self.texts("securityGroupInfo/item/groupName", "DescribeSecurityGroups")

    def nothing(self, action: str) -> list[Any]:
        return list(self.ask(action).iterfind("*/item"))

    def DescribeVpcAttribute(self, vpc: str) -> None:
        self.ask("DescribeVpcAttribute", VpcId=vpc, Attribute="enableDnsSupport")

    def DescribeInstanceTypeOfferings(self) -> list[str]:
        path = "instanceTypeOfferingSet/item/instanceType"
        return self.texts(path, "DescribeInstanceTypeOfferings")

    def CreateKeyPair(self, name: str) -> str:
        return self.texts("keyMaterial", "CreateKeyPair", KeyName=name)[0]

    def ImportKeyPair(self, name: str, public: str) -> str:
        material = base64.b64encode(public.encode()).decode()
        return self.texts("keyName", "ImportKeyPair", KeyName=name, PublicKeyMaterial=material)[0]

    def DescribeKeyPairs(self) -> list[str]:
        return self.texts("keySet/item/keyName", "DescribeKeyPairs")

    def DeleteKeyPair(self, name: str) -> None:
        self.done("DeleteKeyPair", KeyName=name)

    def RegisterImage(self, location: str) -> str:
        return self.texts("imageId", "RegisterImage", ImageLocation=location)[0]

    def DescribeImages(self, image: str) -> States:
        item = "imagesSet/item"
        return self.states(item, "imageId", "imageState", "DescribeImages", ImageId_1=image)

    def DeregisterImage(self, image: str) -> None:
        self.done("DeregisterImage", ImageId=image)

    def DescribeImageAttribute(self, image: str) -> list[str]:
        asked = {"ImageId": image, "Attribute": "launchPermission"}
        return self.texts("launchPermission/item/group", "DescribeImageAttribute", **asked)

    def ModifyImageAttribute(self, image: str) -> None:
        asked = {"ImageId": image, "Attribute": "launchPermission", "OperationType": "add"}
        self.done("ModifyImageAttribute", **asked, UserGroup_1="all")

    def ResetImageAttribute(self, image: str) -> None:
        self.done("ResetImageAttribute", ImageId=image, Attribute="launchPermission")

    def UpdateImage(self, image: str) -> None:
        self.done("UpdateImage", ImageId=image, DisplayName="renamed")

    def CreateImage(self, instance: str, name: str) -> str:
        return self.texts("imageId", "CreateImage", InstanceId=instance, Name=name)[0]

    def RunInstances(self, image: str, key: str) -> str:
        asked = {"ImageId": image, "KeyName": key, "InstanceType": "m1.tiny"}
        more = {"MinCount": "1", "MaxCount": "1", "AddressingType": "public"}
        return self.texts("instancesSet/item/instanceId", "RunInstances", **asked, **more)[0]

    def DescribeInstances(self, instance: str) -> States:
        return self._states("DescribeInstances", instance)

    def DescribeInstancesV6(self, instance: str) -> States:
        return self._states("DescribeInstancesV6", instance)

    def _states(self, action: str, instance: str) -> States:
        item = "reservationSet/item/instancesSet/item"
        asked = {"InstanceId_1": instance}
        return self.states(item, "instanceId", "instanceState/name", action, **asked)

    def DescribeInstanceStatus(self, instance: str) -> States:
        item, asked = "instanceStatusSet/item", {"InstanceId_1": instance}
        action = "DescribeInstanceStatus"
        return self.states(item, "instanceId", "instanceState/name", action, **asked)

    def DescribeInstanceAttribute(self, instance: str) -> bool:
        name = "disableApiTermination"
        asked = {"InstanceId": instance, "Attribute": name}
        return self.texts(f"{name}/value", "DescribeInstanceAttribute", **asked) == ["true"]

    def ModifyInstanceAttribute(self, instance: str, protected: bool) -> None:
        asked = {"InstanceId": instance, "DisableApiTermination_Value": str(protected).lower()}
        self.done("ModifyInstanceAttribute", **asked)

    def ResetInstanceAttribute(self, instance: str) -> None:
        self.done("ResetInstanceAttribute", InstanceId=instance, Attribute="kernel")

    def UpdateInstance(self, instance: str) -> None:
        self.done("UpdateInstance", Ec2Id=instance, DisplayName="renamed")

    def RescueInstance(self, instance: str) -> None:
        self.done("RescueInstance", InstanceId=instance)

    def UnrescueInstance(self, instance: str) -> None:
        self.done("UnrescueInstance", InstanceId=instance)

    def GetConsoleOutput(self, instance: str) -> str:
        [found] = self.texts("output", "GetConsoleOutput", InstanceId_1=instance)
        return base64.b64decode(found).decode()

    def RebootInstances(self, instance: str) -> None:
        self.done("RebootInstances", InstanceId_1=instance)

    def StopInstances(self, instance: str) -> None:
        self._changed("StopInstances", instance)

    def StartInstances(self, instance: str) -> None:
        self._changed("StartInstances", instance)

    def TerminateInstances(self, instance: str) -> None:
        self._changed("TerminateInstances", instance)

    def _changed(self, action: str, instance: str) -> None:
        found = self.texts("instancesSet/item/instanceId", action, InstanceId_1=instance)
        assert found == [instance]

    def CreateTags(self, resource: str, key: str, value: str) -> None:
        asked = {"ResourceId_1": resource, "Tag_1_Key": key, "Tag_1_Value": value}
        self.done("CreateTags", **asked)

    def DescribeTags(self, resource: str) -> Mapping[str, str]:
        asked = {"Filter_1_Name": "resource-id", "Filter_1_Value_1": resource}
        return self.states("tagSet/item", "key", "value", "DescribeTags", **asked)

    def DeleteTags(self, resource: str, key: str) -> None:
        self.done("DeleteTags", ResourceId_1=resource, Tag_1_Key=key)


class Euca2ools32(Euca2ools3):
    """euca2ools 3.2: POST, version 2, 2014-06-15."""

    version = "2014-06-15"
    slash = ""
    verbs: ClassVar[Mapping[str, str]] = {}
    verb = "POST"

    def send(self, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        method = self.verbs.get(parameters["Action"], self.verb)
        path = self.path + self.slash
        given = {
            **parameters,
            "AWSAccessKeyId": self.access,
            "SignatureMethod": "HmacSHA256",
            "SignatureVersion": "2",
            "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "Version": self.version,
        }
        host = f"{self.host}:{self.port}"
        given["Signature"] = v2_signature(self.secret, "HmacSHA256", method, host, path, given)
        if method == "GET":
            headers = {"Content-Length": "0", **self.headers}
            return self.exchange("GET", f"{path}?{urlencode(given)}", b"", headers)
        form = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8", **self.headers}
        return self.exchange("POST", path, urlencode(given).encode(), form)

    @property
    def headers(self) -> Mapping[str, str]:
        """What it sends beside."""
        return {}


class Euca2ools1(Euca2ools32):
    """euca2ools 1.3: GET but for RunInstances, version 2, an old header beside it, 2009-11-30."""

    version = "2009-11-30"
    slash = "/"
    verb = "GET"
    verbs: ClassVar[Mapping[str, str]] = {"RunInstances": "POST"}

    def has(self, action: str) -> bool:
        return action in reference.OF_2011 | reference.NOVAS

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"AWS {self.access}:c2lnbmF0dXJl"}
