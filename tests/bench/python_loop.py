#!/usr/bin/python3
"""What a person writes in an afternoon, to compare with: reads the notify stream with aiohttp, decodes
with json, looks for three paths. No queue, nothing is durable, nothing is tried again.

    python_loop.py URL TOKEN [--cafile FILE] [--redis unix:/path]

--redis: each message goes into a Redis stream before it is looked at, what matches into a list.
Prints how many events it saw when the stream ends."""

import argparse
import asyncio
import json
import ssl

import aiohttp

PATHS = ("home/d7/", "production/recipe.csv", "projects/final/")


class Redis:
    """As in redis-py's own examples: a call, an answer, the next call."""

    def __init__(self, url):
        import redis
        self.client = redis.Redis(unix_socket_path=url.removeprefix("unix:"))

    def keep(self, line):
        self.client.xadd("log", {"message": line})

    def match(self, event):
        self.client.rpush("jobs", json.dumps(event))


class Nothing:
    def keep(self, line):
        pass

    def match(self, event):
        pass


async def read(arguments, store):
    context = ssl.create_default_context(cafile=arguments.cafile) if arguments.cafile else None
    headers = {"Authorization": f"Bearer {arguments.token}"}
    events = matches = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(), read_bufsize=1 << 24) as session:
        async with session.get(arguments.url, headers=headers, ssl=context) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                if not line.startswith(b"data:"):
                    continue
                store.keep(line)
                for event in json.loads(line[5:]):
                    events += 1
                    if event["type"] == "child_file_added" and event["path"].startswith(PATHS):
                        matches += 1
                        store.match(event)
    print(json.dumps({"events": events, "matches": matches}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--cafile")
    parser.add_argument("--redis")
    arguments = parser.parse_args()
    asyncio.run(read(arguments, Redis(arguments.redis) if arguments.redis else Nothing()))


if __name__ == "__main__":
    main()
