"""Answers of web servers: http and https only, and every trouble sorted into what may pass and what will not."""

from __future__ import annotations

import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse, InvalidURL
from typing import IO, Any, Final, NoReturn
from urllib.parse import urlsplit

from sim.core.errors import KeepwarmError

SCHEMES: Final = ("http", "https")

_BLOCK_BYTES: Final = 1 << 18
_RANGE_NOT_SATISFIABLE: Final = 416
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""What a server answers when it may do better later."""


class TransferError(KeepwarmError):
    """A file cannot be fetched, and to try again at once is of no use."""


class BrokenError(Exception):
    """A connection broke, or the server is not well: another try may help."""


class NoSuchRestError(BrokenError):
    """The server has not the rest of a file that it was asked for: what there is of it is of another file."""


def check_url(url: str) -> None:
    """Refuse an address that is not of the web.

    Raises:
        TransferError: no http or https, no host, or a password in it.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise TransferError(f"{url!r} is no address: {error}") from None
    if parts.scheme not in SCHEMES or not host:
        raise TransferError(f"{url!r} is no address of the web: it must begin with http:// or https:// and a host")
    if parts.username is not None:
        raise TransferError("an address with a name or a password in it is not taken: it would be written down")


@contextmanager
def opened(url: str, headers: Mapping[str, str], timeout_s: float) -> Iterator[HTTPResponse]:
    """The answer to a request, after redirects, if it is a good one.

    Args:
        url: what to ask for.
        headers: of the request.
        timeout_s: for the connection, and for each piece of the answer.

    Raises:
        TransferError: the server refuses for good, is not the one of its certificate, or leads away from the web.
        BrokenError: it may do better later.
    """
    check_url(url)
    try:
        request = urllib.request.Request(url, headers=dict(headers))
        response: HTTPResponse = _opener().open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        with error:
            _refuse_status(url, error.code, str(error.reason))
    except (InvalidURL, ValueError) as error:
        raise TransferError(f"{url!r} is no address, or leads to one that is none: {error}") from None
    except (OSError, HTTPException) as error:
        _refuse_trouble(url, error)
    with response:
        yield response


def blocks(response: HTTPResponse) -> Iterator[bytes]:
    """The answer as it comes.

    Raises:
        BrokenError: the connection broke. (Where only the length can tell, the answer just ends.)
    """
    while True:
        try:
            block = response.read1(_BLOCK_BYTES)
        except (OSError, HTTPException) as error:
            raise BrokenError(_sentence(error)) from None
        if not block:
            return
        yield block


def _refuse_status(url: str, code: int, reason: str) -> NoReturn:
    answer = f"the server answers {code} {reason[:200]!r}"
    if code == _RANGE_NOT_SATISFIABLE:
        raise NoSuchRestError(answer)
    if code in _PASSING:
        raise BrokenError(answer)
    raise TransferError(f"{url}: {answer}")


def _refuse_trouble(url: str, error: Exception) -> NoReturn:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        raise TransferError(f"{url}: the server is not who it says it is: {reason.verify_message}") from None
    raise BrokenError(_sentence(reason)) from None


def _sentence(trouble: object) -> str:
    if isinstance(trouble, TimeoutError):
        return "no answer in time"
    if isinstance(trouble, socket.gaierror):
        return f"the server's name is not found ({trouble.strerror})"
    what = trouble.strerror if isinstance(trouble, OSError) and trouble.strerror else repr(trouble)
    return f"the connection broke ({what})"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """To the web only, and never from https to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """The request that follows."""
        check_url(newurl)
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise TransferError(f"{req.full_url}: the server leads to an address without encryption, {newurl!r}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """One that knows the web and nothing else: no files, no FTP, no data in addresses."""
    opener = urllib.request.OpenerDirector()
    handlers: list[Callable[[], urllib.request.BaseHandler]] = [
        urllib.request.ProxyHandler, urllib.request.UnknownHandler, urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler, urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPErrorProcessor,
        _Redirects,
    ]  # fmt: skip
    for handler in handlers:
        opener.add_handler(handler())
    return opener
