"""Requests as API Gateway hands them to a function: payload 2.0 of an HttpApi, and 1.0 of a REST proxy."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

HOST = "abcdefghij.execute-api.eu-central-1.amazonaws.com"


@dataclass(frozen=True)
class Asked:
    """One request. API Gateway sends a body as base64 unless its type is text or JSON."""

    method: str
    address: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def _sent(self) -> dict[str, str]:
        length = {"content-length": str(len(self.body))} if self.method == "POST" else {}
        return {"host": HOST, "x-forwarded-proto": "https", "x-forwarded-port": "443", **length, **self.headers}

    @property
    def _body(self) -> dict[str, Any]:
        kind = next((value for name, value in self.headers.items() if name.lower() == "content-type"), "")
        if kind.startswith(("text/", "application/json")):
            return {"body": self.body.decode(errors="replace"), "isBase64Encoded": False}
        return {"body": base64.b64encode(self.body).decode(), "isBase64Encoded": True}

    def as_v2(self) -> dict[str, Any]:
        """Of an HttpApi, whose path is decoded already."""
        parts = urlsplit(self.address)
        path = unquote(parts.path)
        query = {name: ",".join(values) for name, values in parse_qs(parts.query).items()}
        http = {
            "method": self.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": "203.0.113.7",
            "userAgent": "curl",
        }
        event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": parts.query,
            "headers": self._sent,
            **({"queryStringParameters": query} if query else {}),
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abcdefghij",
                "domainName": HOST,
                "http": http,
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": "$default",
                "stage": "$default",
                "time": "01/Nov/2026:00:00:00 +0000",
                "timeEpoch": 1793491200000,
            },
        }
        return event | (self._body if self.body else {"isBase64Encoded": False})

    def as_v1(self) -> dict[str, Any]:
        """Of a REST API with `{proxy+}`, whose path is as the client sent it."""
        parts = urlsplit(self.address)
        query = parse_qs(parts.query, keep_blank_values=True)
        headers = {name.title(): value for name, value in self._sent.items()}
        return {
            "resource": "/{proxy+}",
            "path": parts.path,
            "httpMethod": self.method,
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "pathParameters": {"proxy": parts.path.lstrip("/")},
            "stageVariables": None,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abcdefghij",
                "domainName": HOST,
                "httpMethod": self.method,
                "identity": {"sourceIp": "203.0.113.7", "userAgent": "curl"},
                "path": f"/v1{parts.path}",
                "protocol": "HTTP/1.1",
                "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
                "resourcePath": "/{proxy+}",
                "stage": "v1",
            },
            **(self._body if self.body else {"body": None, "isBase64Encoded": False}),
        }


def read_body(answer: Mapping[str, Any]) -> bytes:
    """The bytes that a client of API Gateway gets."""
    body: str = answer.get("body") or ""
    return base64.b64decode(body) if answer["isBase64Encoded"] else body.encode()


def encode_form(name: str, data: bytes) -> tuple[bytes, str]:
    """A form with one file, and its media type."""
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.png"\r\n\r\n'
    return head.encode() + data + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"
