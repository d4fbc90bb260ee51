import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kioskd.errors import CdpClosed
from kioskd.wire.cdp import Answer, Decoder, Event, decode, encode, method_of


def test_a_command_as_it_goes_out() -> None:
    assert encode(7, "Page.enable") == b'{"id":7,"method":"Page.enable"}\0'
    assert json.loads(encode(8, "A.b", {"x": "å\0"}, "S")[:-1]) == {"id": 8, "method": "A.b", "params": {"x": "å\0"}, "sessionId": "S"}
    assert encode(8, "A.b", {"x": "\0"}).count(b"\0") == 1


@given(st.lists(st.binary(min_size=1).map(lambda data: data.replace(b"\0", b"1")), max_size=8), st.data())
def test_frames_come_out_as_they_went_in_however_they_are_cut(frames: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frame + b"\0" for frame in frames)
    decoder, out = Decoder(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        out += decoder.feed(stream[:size])
        stream = stream[size:]
    assert out == frames


def test_an_endless_frame_ends_the_pipe() -> None:
    decoder = Decoder(limit=10)
    assert decoder.feed(b"1234567890\x001234567890") == [b"1234567890"]
    with pytest.raises(CdpClosed, match="more than 10 bytes"):
        decoder.feed(b"1")


def test_what_messages_say() -> None:
    assert decode(b'{"id":1,"result":{"x":1}}') == Answer(1, {"x": 1})
    assert decode(b'{"id":2,"error":{"code":-1,"message":"no"},"sessionId":"S"}') == Answer(2, error="no")
    assert decode(b'{"method":"A.b","params":{"y":2},"sessionId":"S"}') == Event("A.b", {"y": 2}, "S")
    assert decode(b'{"method":"A.b","params":[],"sessionId":3}') == Event("A.b")


@pytest.mark.parametrize(
    "rubbish", [b"hello", b"\xff\xfe", b"[1]", b"{}", b'{"id":"1","result":{}}', b'{"id":1,"result":[]}', b"[" * 100_000, b"1" * 5000]
)
def test_rubbish_is_said_plainly(rubbish: bytes) -> None:
    with pytest.raises(CdpClosed, match="something else than DevTools"):
        decode(rubbish)


def test_a_command_the_browser_cannot_read() -> None:
    with pytest.raises(CdpClosed, match="did not understand a command: Message must"):
        decode(b'{"error":{"code":-32600,"message":"Message must have integer id"}}')


def test_the_method_is_known_without_parsing() -> None:
    assert method_of(b'{"method":"Page.frameResized","params":{}}') == "Page.frameResized"
    assert method_of(b'{"id":1,"result":{}}') is None
    assert method_of(b'{"method":"' + b"x" * 200) is None
