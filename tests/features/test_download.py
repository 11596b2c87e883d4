"""Downloads against a server on this machine: whole or not at all, resumed, checked."""

import errno
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from repro.features import download as module
from repro.features.download import DownloadError, download

CONTENT = bytes(range(256)) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves one file; a test says how badly."""

    content = CONTENT
    etag = '"first"'
    ranges = True
    cut_after: int | None = None
    says_length = True
    status = 200
    requests: list

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.pth"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.requests.append(wanted)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = 0
        if wanted and server.ranges and self.headers.get("If-Range") == server.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start and start >= len(server.content):
            self.send_response(416)
            if server.says_length:
                self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(server.content) - start))
        self.send_header("ETag", server.etag)
        self.end_headers()
        stop = len(server.content) if server.cut_after is None else start + server.cut_after
        self.wfile.write(server.content[start:stop])

    def log_message(self, *words):
        pass


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "weights" / "file.pth"


def names(target):
    return sorted(path.name for path in target.parent.iterdir())


def test_a_whole_file_arrives_and_nothing_else_remains(server, target):
    seen = []
    assert download(server.url, target, promised=DIGEST[:8], report=lambda *words: seen.append(words)) == DIGEST
    assert target.read_bytes() == CONTENT
    assert names(target) == ["file.pth"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_cut_connection_keeps_what_came_and_the_next_call_continues_there(server, target):
    server.cut_after = 1000
    with pytest.raises(DownloadError, match=r"1,000 of 10,240 bytes came; .*file\.pth\.part; fetch again to continue"):
        download(server.url, target)
    assert not target.exists()
    server.cut_after = None
    assert download(server.url, target, promised=DIGEST) == DIGEST
    assert server.requests == [None, "bytes=1000-"]
    assert names(target) == ["file.pth"]


def test_a_file_that_changed_meanwhile_starts_anew(server, target):
    server.cut_after = 1000
    with pytest.raises(DownloadError):
        download(server.url, target)
    server.cut_after, server.etag, server.content = None, '"second"', CONTENT[::-1]
    download(server.url, target)
    assert target.read_bytes() == CONTENT[::-1]


def test_a_server_that_cannot_continue_starts_anew(server, target):
    server.cut_after = 1000
    with pytest.raises(DownloadError):
        download(server.url, target)
    server.cut_after, server.ranges = None, False
    assert download(server.url, target) == DIGEST


class TestNothingIsLeftToSend:
    """A download that was killed between its last byte and its name: the server answers 416."""

    @pytest.fixture
    def part(self, server, target):
        server.cut_after = 1000
        with pytest.raises(DownloadError):
            download(server.url, target)
        server.cut_after = None
        return target.with_name("file.pth.part")

    def test_a_complete_part_is_checked_and_gets_its_name(self, part, server, target):
        part.write_bytes(CONTENT)
        assert download(server.url, target, promised=DIGEST[:8]) == DIGEST
        assert target.read_bytes() == CONTENT
        assert server.requests == [None, "bytes=10240-"]
        assert names(target) == ["file.pth"]

    def test_with_a_wrong_checksum_it_is_thrown_away_and_the_next_call_starts_anew(self, part, server, target):
        part.write_bytes(CONTENT[::-1])
        with pytest.raises(DownloadError, match=r"expected sha256 .* Fetch it again"):
            download(server.url, target, promised=DIGEST[:8])
        assert names(target) == []
        assert download(server.url, target, promised=DIGEST[:8]) == DIGEST

    @pytest.mark.parametrize("says_length", [True, False])
    def test_a_part_of_another_length_is_dropped(self, part, server, target, says_length):
        part.write_bytes(CONTENT + b"more")
        server.says_length = says_length
        assert download(server.url, target, promised=DIGEST[:8]) == DIGEST
        assert server.requests == [None, "bytes=10244-", None]
        assert target.read_bytes() == CONTENT

    def test_a_server_that_always_says_so_is_told(self, server, target):
        server.status = 416
        with pytest.raises(DownloadError, match="the server says 416"):
            download(server.url, target)


def test_a_wrong_checksum_leaves_nothing(server, target):
    with pytest.raises(DownloadError, match=rf"expected sha256 00000000\.\.\., got {DIGEST[:8]}"):
        download(server.url, target, promised="00000000")
    assert names(target) == []


def test_a_file_that_was_there_survives_a_failed_download(server, target):
    target.parent.mkdir()
    target.write_bytes(b"mine")
    with pytest.raises(DownloadError):
        download(server.url, target, promised="00000000")
    assert target.read_bytes() == b"mine"


def test_a_full_disk_is_named_and_what_came_is_kept(server, target, monkeypatch):
    class FullDisk:
        def __init__(self, stream):
            self.stream = stream

        def write(self, chunk):
            raise OSError(errno.ENOSPC, "No space left on device")

        def __getattr__(self, name):
            return getattr(self.stream, name)

    receive = module._receive
    monkeypatch.setattr(module, "_receive", lambda url, stream, *rest: receive(url, FullDisk(stream), *rest))
    with pytest.raises(DownloadError, match=r"disk is full: .* kept in .*; free space and fetch again"):
        download(server.url, target)
    assert not target.exists()
    monkeypatch.undo()
    assert download(server.url, target) == DIGEST


def test_too_little_space_is_said_before_the_first_byte(server, target, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 5_000})())
    with pytest.raises(DownloadError, match=r"has 0\.0 MB free, 0\.0 MB are needed: free space or set REPRO_WEIGHTS"):
        download(server.url, target)
    assert not target.exists()


def test_a_refusal_is_told(server, target):
    server.status = 404
    with pytest.raises(DownloadError, match="the server says 404 Not Found; nothing was fetched"):
        download(server.url, target)
    assert names(target) == []


def test_no_connection_is_told(server, target):
    with pytest.raises(DownloadError, match="fetch again to continue, or bring the file and import it"):
        download("http://127.0.0.1:1/file.pth", target)


def test_two_at_a_time_are_refused(server, target):
    inner = []

    def report(done, total):
        with pytest.raises(DownloadError, match="another process is fetching"):
            download(server.url, target)
        inner.append(done)

    download(server.url, target, report=report)
    assert inner
    assert target.read_bytes() == CONTENT
