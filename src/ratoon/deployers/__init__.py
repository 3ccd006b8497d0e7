"""Where models serve."""

from ratoon.deployers.local import Deployer, Local, Served, Traffic

__all__ = ["Deployer", "Local", "Served", "Traffic"]
