"""Watch click fraud being caught in real time: a workbench of Kafka, Spark's real-time mode and Jupyter.

Import the modules by name, as in `from workbench import detector`; the package itself holds only its version, so that
importing one module brings along no other.
"""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.2.0"
