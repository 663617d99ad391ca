"""A small Hugging Face Hub on loopback that keeps everything in memory.

It answers what `huggingface_hub` asks for when a model is pushed and pulled, with the status codes
and error headers of the real one: weights go up by LFS to a storage of another address, and
come down from there with ranges; or, with `xet`, by Xet to a folder. It can break the download of
a file, be too busy to answer, change a branch at a bad moment, and remembers what it was asked.
"""

from pretrained.hub_server.server import HubServer

__all__ = ["HubServer"]
