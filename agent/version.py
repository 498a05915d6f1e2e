"""The version of this program."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("paramedic")
except PackageNotFoundError:  # run from a checkout that nobody installed
    VERSION = "0+unknown"
