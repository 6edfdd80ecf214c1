"""What the parts of the simulator say to each other: a request that was read,
an answer to be sent, and lists cut into pages."""

import dataclasses
import json
import urllib.parse
import uuid


@dataclasses.dataclass
class Request:
    method: str
    target: str             # path and query, as the client wrote them
    headers: object         # email.message.Message: get() ignores case
    body: bytes
    port: int               # the one that was asked

    def __post_init__(self):
        parts = urllib.parse.urlsplit(self.target)
        self.path = parts.path
        self.query = dict(urllib.parse.parse_qsl(parts.query, True))
        self.words = [urllib.parse.unquote(word)
                      for word in self.path.strip('/').split('/')]

    def json(self):
        """The body, which must be one JSON object."""
        value = json.loads(self.body.decode())
        if not isinstance(value, dict):
            raise ValueError('not an object')
        return value


@dataclasses.dataclass
class Answer:
    status: int = 200
    body: object = None     # dict and list become JSON; str and bytes do not
    headers: dict = dataclasses.field(default_factory=dict)
    delay: float = 0        # seconds, before the first byte
    gate: object = None     # threading.Event: not before it
    # reset: the connection ends with RST instead of an answer;
    # stall: nothing is ever sent, and the clock goes on by so much at each look
    # at the client, or stands still; cut: half of the body, then the end
    how: str = 'whole'
    pace: float = 2

    def bytes(self):
        if self.body is None:
            return b''
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self.body, separators=(',', ':')).encode()


class Refusal(Exception):
    """Carries an answer from where the reason is found to the server."""

    def __init__(self, answer):
        super().__init__(answer.status)
        self.answer = answer


def request_id():
    return str(uuid.uuid4())


def number(text, least, most):
    """The decimal number TEXT, or None where it is none or out of bounds."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        return None
    value = int(text)
    return value if least <= value <= most else None


HTML_502 = Answer(502, '<html>\r\n<head><title>502 Bad Gateway</title></head>'
                  '\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n'
                  '<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n',
                  {'Content-Type': 'text/html'})
