"""An HTTP client that shares nothing with Node: python-requests. Commands: put, get, resume, ranges."""
import base64, hashlib, os, sys
import requests

command, url, path, ca = sys.argv[1:5]
session = requests.Session()
session.verify = ca
# Or a bundle that the environment names would be believed instead.
session.trust_env = False
session.headers["Authorization"] = "Bearer " + os.environ["TOKEN"]


def save(response, mode):
    with open(path, mode) as file:
        for chunk in response.iter_content(1 << 20):
            file.write(chunk)


if command == "put":
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    sum = base64.b64encode(digest.digest()).decode()
    with open(path, "rb") as file:
        answer = session.put(url, data=file, headers={"Repr-Digest": "sha-256=:" + sum + ":", "If-None-Match": "*"})
    answer.raise_for_status()
    assert answer.status_code == 201, answer.status_code
    assert answer.json()["sha256"] == digest.hexdigest()
    again = session.put(url, data=b"other", headers={"If-None-Match": "*"})
    assert again.status_code == 412 and again.json()["code"] == "changed-meanwhile", again.text
elif command == "get":
    with session.get(url, stream=True) as answer:
        answer.raise_for_status()
        save(answer, "wb")
elif command == "resume":
    have = os.path.getsize(path)
    tag = session.head(url).headers["ETag"]
    with session.get(url, stream=True, headers={"Range": "bytes=%d-" % have, "If-Range": tag}) as answer:
        assert answer.status_code == 206, answer.status_code
        assert answer.headers["Content-Range"].startswith("bytes %d-" % have)
        save(answer, "ab")
    with session.get(url, stream=True, headers={"Range": "bytes=0-0", "If-Range": '"another"'}) as answer:
        assert answer.status_code == 200, answer.status_code
elif command == "ranges":
    # The whole again, from ranges in an order that nobody would choose.
    size = int(session.head(url).headers["Content-Length"])
    step = max(1, size // 7)
    with open(path, "wb") as file:
        for at in reversed(range(0, size, step)):
            last = min(size, at + step) - 1
            answer = session.get(url, headers={"Range": "bytes=%d-%d" % (at, last)})
            assert answer.status_code == 206 and len(answer.content) == last - at + 1
            file.seek(at)
            file.write(answer.content)
else:
    sys.exit("no such command")
