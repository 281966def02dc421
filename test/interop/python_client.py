"""One SFTP operation by a Python library, for the interop suite: python_client.py LIBRARY HOST PORT LOGIN KEY OPERATION ARGS..."""

import asyncio
import json
import os
import sys


def with_paramiko(host, port, login, key, operation, args):
    import paramiko

    transport = paramiko.Transport((host, port))
    transport.connect(username=login, pkey=paramiko.Ed25519Key.from_private_key_file(key))
    sftp = paramiko.SFTPClient.from_transport(transport)
    if operation == "put":
        sftp.put(args[0], args[1])
    elif operation == "get":
        sftp.get(args[0], args[1])
    elif operation == "list":
        print(json.dumps(sftp.listdir(args[0])))
    elif operation == "rename":
        sftp.rename(args[0], args[1])
    elif operation == "remove":
        sftp.remove(args[0])
    elif operation == "resume-put":
        size = sftp.stat(args[1]).st_size
        with open(args[0], "rb") as source, sftp.open(args[1], "r+b") as target:
            source.seek(size)
            target.seek(size)
            target.set_pipelined(True)
            while chunk := source.read(32768):
                target.write(chunk)
    elif operation == "resume-get":
        size = os.path.getsize(args[1])
        with sftp.open(args[0], "rb") as source, open(args[1], "ab") as target:
            source.seek(size)
            target.write(source.read())
    transport.close()


async def with_asyncssh(host, port, login, key, operation, args):
    import asyncssh

    async with asyncssh.connect(host, port, username=login, client_keys=[key], known_hosts=None, config=None) as connection:
        async with connection.start_sftp_client() as sftp:
            if operation == "put":
                await sftp.put(args[0], args[1])
            elif operation == "get":
                await sftp.get(args[0], args[1])
            elif operation == "list":
                print(json.dumps([name for name in await sftp.listdir(args[0])]))
            elif operation == "rename":
                await sftp.rename(args[0], args[1])
            elif operation == "remove":
                await sftp.remove(args[0])
            elif operation == "resume-put":
                size = await sftp.getsize(args[1])
                with open(args[0], "rb") as source:
                    source.seek(size)
                    async with sftp.open(args[1], "r+b") as target:
                        await target.write(source.read(), size)
            elif operation == "resume-get":
                size = os.path.getsize(args[1])
                async with sftp.open(args[0], "rb") as source:
                    with open(args[1], "ab") as target:
                        target.write(await source.read(-1, size))


library, host, port, login, key, operation, *rest = sys.argv[1:]
if library == "probe":
    __import__(operation)
elif library == "paramiko":
    with_paramiko(host, int(port), login, key, operation, rest)
else:
    asyncio.run(with_asyncssh(host, int(port), login, key, operation, rest))
