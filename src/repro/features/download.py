"""One file from the network, whole or not at all: resumed where it was cut, checked before it gets its name."""

import errno
import fcntl
import hashlib
import http.client
import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20
TIMEOUT = 30.0  # seconds without a byte

Report = Callable[[int, int | None], object]
"""Called with the bytes that are there and those there will be (None: the server does not say)."""


class DownloadError(OSError):
    """A download did not come to its end; the message says what is kept and what to do."""


def download(url: str, target: Path, *, promised: str = "", report: Report = lambda done, total: None) -> str:
    """Return the SHA-256 of ``target``, fetched from ``url``.

    The bytes gather in ``NAME.part`` beside the target. A later call continues there, if the server still has the same
    file (``If-Range``), and starts anew otherwise, also where the server has nothing behind what is there. The file
    gets its name only when it is complete and checked.

    Args:
        url: where the publisher has it.
        target: the file to make; its folder is made if needed.
        promised: first hexadecimal digits of the SHA-256 that the publisher gives; empty = none is published.
        report: told about progress.

    Raises:
        DownloadError: no connection, a refusal by the server, a cut connection, a full disk, a wrong checksum.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with part.open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not part.exists() or not os.path.samestat(os.fstat(stream.fileno()), part.stat()):
                raise BlockingIOError("the other process finished between opening and locking")
        except BlockingIOError as error:
            raise DownloadError(f"another process is fetching {target.name}: wait for it") from error
        try:
            _receive(url, stream, part, report)
        except urllib.error.HTTPError as error:
            if part.stat().st_size == 0:
                part.unlink()
            raise DownloadError(f"{url}: the server says {error.code} {error.reason}; nothing was fetched") from error
        except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
            raise DownloadError(_cut(url, part, getattr(error, "reason", error))) from error
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise DownloadError(f"the disk is full: {_kept(part)}; free space and fetch again to continue") from error
        stream.flush()
        os.fsync(stream.fileno())
        with part.open("rb") as whole:
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
        if not digest.startswith(promised):
            part.unlink()
            _memory(part).unlink(missing_ok=True)
            raise DownloadError(
                f"{url}: expected sha256 {promised}..., got {digest[:8]}...; the file was thrown away. Fetch it again; "
                "if it stays so, it is not the publisher's file"
            )
        os.replace(part, target)
    _memory(part).unlink(missing_ok=True)
    return digest


def _receive(url: str, stream: BinaryIO, part: Path, report: Report) -> None:
    """Append to the part until the file is complete."""
    request = urllib.request.Request(url)
    done = stream.seek(0, os.SEEK_END)
    validator = _validator(part, url)
    if done and validator:
        request.add_header("Range", f"bytes={done}-")
        request.add_header("If-Range", validator)
    try:
        opened = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not done:
            raise
        error.close()
        if _length(error.headers.get("Content-Range")) == done:  # all of it had come before; the checksum decides
            return
        stream.truncate(0)
        return _receive(url, stream, part, report)
    with opened as answer:
        if answer.status != http.client.PARTIAL_CONTENT:  # a new file, or a server that cannot continue
            done = 0
            stream.truncate(0)
        length = answer.headers.get("Content-Length")
        total = None if length is None else done + int(length)
        if total is not None and total - done > (free := shutil.disk_usage(part.parent).free):
            raise DownloadError(
                f"{part.parent} has {_megabytes(free)} free, {_megabytes(total - done)} are needed: free space or set "
                "REPRO_WEIGHTS to another folder"
            )
        _remember(part, url, answer.headers.get("ETag") or answer.headers.get("Last-Modified"))
        while chunk := answer.read(CHUNK):
            stream.write(chunk)
            done += len(chunk)
            report(done, total)
        stream.flush()
    if total is not None and done < total:
        raise ConnectionError(f"{done:,} of {total:,} bytes came")


def _length(content_range: str | None) -> int | None:
    """Return the length of the whole file that an answer names (``bytes */10240``)."""
    length = (content_range or "").rpartition("/")[2]
    return int(length) if length.isdecimal() else None


def _memory(part: Path) -> Path:
    """Return the file that says which version of the server's file a part belongs to."""
    return part.with_name(f"{part.name}.json")


def _remember(part: Path, url: str, validator: str | None) -> None:
    _memory(part).write_text(json.dumps({"url": url, "validator": validator}))


def _validator(part: Path, url: str) -> str | None:
    """Return the ETag or date of the file that the part was cut from; None where nothing reliable is known."""
    try:
        known = json.loads(_memory(part).read_text())
    except (FileNotFoundError, ValueError):
        return None
    validator: str | None = known.get("validator") if known.get("url") == url else None
    return None if validator is None or validator.startswith("W/") else validator  # weak ones do not promise bytes


def _cut(url: str, part: Path, reason: object) -> str:
    return f"{url}: {reason}; {_kept(part)}; fetch again to continue, or bring the file and import it"


def _kept(part: Path) -> str:
    return f"{_megabytes(part.stat().st_size)} are kept in {part}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
