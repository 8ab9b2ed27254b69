"""Uploads by browsers: a form that holds a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode, urlsplit

from nova_tx.objectstore.access import WRITE, usable
from nova_tx.objectstore.action import BUCKET, Action, Asked
from nova_tx.objectstore.answer import Answer, xml_answer
from nova_tx.objectstore.calls import Call, as_headers
from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import InvalidArgument, PreconditionFailed
from nova_tx.objectstore.grants import asked_grants
from nova_tx.objectstore.intake import Intake
from nova_tx.objectstore.post_policy import check_policy, read_policy
from nova_tx.objectstore.tags import MOST_OF_OBJECT, read_tagging
from nova_tx.objectstore.unsupported import refuse_unsupported
from nova_tx.objectstore.xml_read import read_xml
from nova_tx.objectstore.xml_write import document, leaf

#: Fields that mean what the header of their name means with PUT, beside those C{x-amz-…}.
_HEADERS = frozenset(
    (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-md5",
        "content-type",
        "expires",
    )
)


class PostObject(Action):
    """A file of a form becomes an object, if the form's policy lets it."""

    methods = ("POST",)
    place = BUCKET
    by_form = True

    async def run(self, asked: Asked) -> Answer:
        call, form = asked.call, asked.form
        if form is None:
            raise PreconditionFailed(
                "Bucket POST must be of the enclosure-type multipart/form-data"
            )
        if "policy" in form.fields:  # it was signed, or nobody would be here
            policy = read_policy(form.fields["policy"])
            check_policy(policy, call.bucket, form.fields, asked.caller.context.timestamp)
            form.file.limit(policy.least, policy.most)
        key = form.fields.get("key")
        if not key:
            raise InvalidArgument("Bucket POST must contain a field named 'key'.")
        bucket = await usable(self.store, asked.caller, call.bucket, WRITE)
        headers = as_headers(
            {
                name: value
                for name, value in form.fields.items()
                if name in _HEADERS or name.startswith("x-amz-")
            }
        )
        if "acl" in form.fields:
            headers["x-amz-acl"] = form.fields["acl"]
        refuse_unsupported(headers)
        tags = {}
        if "tagging" in form.fields:
            tags = read_tagging(
                read_xml(form.fields["tagging"].encode(), "Tagging"), MOST_OF_OBJECT
            )
        asked = replace(asked, call=replace(call, key=key, headers=headers))
        grants = await asked_grants(self.users, asked, bucket.owner)
        intake = Intake(headers, asked.payload, asked.caller.project, grants, tags)
        facts = await self.store.receive(bucket.name, key, asked.request.body, intake)
        url = replace(call, key=key).url(asked.request.isSecure())
        return _answer(form.fields, url, call, key, facts)


def _answer(fields: Mapping[str, str], url: str, call: Call, key: str, facts: Facts) -> Answer:
    """As the form asks to be answered; what makes no sense was not asked for."""
    etag = f'"{facts.etag}"'
    headers = {"etag": etag, "location": url}
    target = fields.get("success_action_redirect", fields.get("redirect", ""))
    if _is_url(target):
        made = urlencode({"bucket": call.bucket, "key": key, "etag": etag})
        separator = "&" if urlsplit(target).query else "?"
        return Answer(303, {**headers, "location": f"{target}{separator}{made}"})
    status = fields.get("success_action_status")
    if status == "201":
        parts = (
            leaf("Location", url),
            leaf("Bucket", call.bucket),
            leaf("Key", key),
            leaf("ETag", etag),
        )
        answer = xml_answer(document("PostResponse", *parts, namespace=""), 201)
        return replace(answer, headers={**headers, **answer.headers})
    return Answer(200 if status == "200" else 204, headers)


def _is_url(text: str) -> bool:
    if not (text.isascii() and text.isprintable() and " " not in text):
        return False
    try:
        found = urlsplit(text)
    except ValueError:
        return False
    return found.scheme in ("http", "https") and bool(found.netloc) and not found.fragment
